"""What the instances use up: memory and CPU time of each one's process tree."""

from __future__ import annotations

import asyncio
import itertools
from typing import Annotated, ClassVar

import msgspec
import psutil

from capsize.core.events import Sample
from capsize.core.platform import Instance
from capsize.core.protocols import Stage

TELLS_SHARED = psutil.LINUX
"""Whether the system counts a process's shared pages apart."""


class ResourcesProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at each running instance every ``interval_s``: a Sample ``resources`` with it as the subject.

    Values: ``rss_bytes`` (summed over the tree; memory that its processes share counts once for each),
    ``private_bytes`` (less what is shared or mapped from files; absent where the system does not tell),
    ``cpu_s`` (used since the process of the instance began, as far as its tree still lives), ``cpu_share``
    (since the last look; 1.0 is one core; absent at the first look at a process), ``processes``.
    Between two processes the event loop gets a turn, so that a look never holds up a send for long. Who is
    whose child is learnt anew every ``tree_s``, since that means reading every process of the machine: a
    child process that is younger may be missing.
    """

    name: ClassVar[str] = "resources"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    tree_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        seen: dict[str, _Seen] = {}
        begin = tree_due = stage.clock.now()
        families: dict[int, list[int]] = {}
        for number in itertools.count(1):
            if stage.clock.now() >= tree_due:
                families = await children()
                tree_due = stage.clock.now() + self.tree_s
            for instance in stage.platform.instances():
                if instance.pid is not None:
                    await self._look(stage, instance, tree(instance.pid, families), seen)
            await stage.clock.sleep(begin + number * self.interval_s - stage.clock.now())

    async def _look(self, stage: Stage, instance: Instance, pids: list[int], seen: dict[str, _Seen]) -> None:
        began = stage.clock.now()
        pid = pids[0]
        cpu: dict[int, float] = {}
        rss, private = 0, 0
        for member in pids:
            used = usage(member)
            if used is not None:
                rss += used[0]
                cpu[member] = used[1]
                private += used[0] - used[2]
            await asyncio.sleep(0)
        if pid not in cpu:
            # It died before or under the look, which the platform reports on its own account.
            seen.pop(instance.name, None)
            return
        values: dict[str, float] = {
            "rss_bytes": rss,
            "cpu_s": round(sum(cpu.values()), 3),
            "processes": len(cpu),
        }
        if TELLS_SHARED:
            values["private_bytes"] = private
        before = seen.get(instance.name)
        if before is not None and before.pid == pid and began > before.at:
            spent = sum(max(0.0, used - before.cpu.get(member, 0.0)) for member, used in cpu.items())
            values["cpu_share"] = round(spent / (began - before.at), 4)
        seen[instance.name] = _Seen(pid=pid, at=began, cpu=cpu)
        now = stage.clock.now()
        stage.record(Sample(t=now, probe=self.name, began=began, subject=instance.name, values=values))


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The last look at an instance: the CPU seconds of each process of its tree."""

    pid: int
    at: float
    cpu: dict[int, float]


async def children() -> dict[int, list[int]]:
    """Return the children of every process of the machine that has some."""
    families: dict[int, list[int]] = {}
    for pid in psutil.pids():
        try:
            families.setdefault(psutil.Process(pid).ppid(), []).append(pid)
        except psutil.Error:
            continue
        await asyncio.sleep(0)
    return families


def tree(pid: int, families: dict[int, list[int]]) -> list[int]:
    """Return a process, first, and all its descendants."""
    found = [pid]
    for parent in found:
        found.extend(child for child in families.get(parent, ()) if child not in found)
    return found


def usage(pid: int) -> tuple[int, float, int] | None:
    """Return resident bytes, CPU seconds and shared bytes of a process; None when it is gone or not ours to see."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            memory = process.memory_info()
            return int(memory.rss), float(times.user + times.system), int(getattr(memory, "shared", 0))
    except psutil.Error:
        return None
