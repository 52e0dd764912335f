"""Control groups of the kernel, version 1 or 2: where groups may be made, and one group's limits.

A controller is looked for where capsize itself runs: a group below that needs no more rights than a container
gives, and what limits capsize goes on limiting what it starts.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capsize.core.undo import Guard, RemoveCgroup
from capsize.platforms.local.harm.trials import once

Name = Literal["cpu", "memory"]

PERIOD_US = 100_000
QUOTA_MIN_US = 1_000
REMOVE_LIMIT_S = 2.0
KNOBS: dict[tuple[Name, int], str] = {
    ("cpu", 1): "cpu.cfs_quota_us",
    ("cpu", 2): "cpu.max",
    ("memory", 1): "memory.limit_in_bytes",
    ("memory", 2): "memory.max",
}


@dataclass(frozen=True)
class Controller:
    """A folder in which groups of one controller can be made."""

    name: Name
    version: int
    parent: Path

    def __str__(self) -> str:
        return f"cgroup v{self.version}"

    def group(self, name: str) -> Group:
        """Return a group by name; nothing is made yet."""
        return Group(self, self.parent / name)


@dataclass(frozen=True)
class Group:
    """One group. Errors are OSError throughout."""

    controller: Controller
    path: Path

    @property
    def procs(self) -> Path:
        """Return the file by which a process joins."""
        return self.path / "cgroup.procs"

    def make(self) -> None:
        """Make it, if it is not there."""
        self.path.mkdir(exist_ok=True)

    def members(self) -> set[int]:
        """Return the processes inside."""
        return {int(pid) for pid in self.procs.read_text().split()}

    def join(self, pid: int) -> None:
        """Take a process in; one that is gone is none of our business."""
        with suppress(ProcessLookupError):
            self.procs.write_text(str(pid))

    def limit(self, amount: float | None) -> None:
        """Set the limit, in cores or bytes; None lifts it."""
        self._knob.write_text(self._written(amount))
        if self.controller.name == "memory" and amount is not None:
            self._no_swap()

    def limited(self) -> str:
        """Return the limit as the kernel has it now, for a message."""
        return self._knob.read_text().strip()

    def kills(self) -> int:
        """Return how many processes the kernel has killed in here for want of memory."""
        return self._count("memory.oom_control" if self.controller.version == 1 else "memory.events")

    def remove(self) -> None:
        """Remove it when it is empty or gone, waiting a little for its last members to go."""
        give_up = time.monotonic() + REMOVE_LIMIT_S
        while True:
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.005)
            else:
                return

    @property
    def _knob(self) -> Path:
        return self.path / KNOBS[self.controller.name, self.controller.version]

    def _written(self, amount: float | None) -> str:
        if self.controller.name == "memory":
            lifted = "-1" if self.controller.version == 1 else "max"
            return lifted if amount is None else str(int(amount))
        quota = None if amount is None else max(QUOTA_MIN_US, round(amount * PERIOD_US))
        if self.controller.version == 1:
            return "-1" if quota is None else str(quota)
        return f"{'max' if quota is None else quota} {PERIOD_US}"

    def _no_swap(self) -> None:
        # Otherwise what is over the limit is only moved away, where there is a swap.
        name, text = ("memory.swappiness", "0") if self.controller.version == 1 else ("memory.swap.max", "0")
        with suppress(OSError):
            (self.path / name).write_text(text)

    def _count(self, file: str) -> int:
        for line in (self.path / file).read_text().splitlines():
            word, _, number = line.partition(" ")
            if word == "oom_kill":
                return int(number)
        return 0


def controller(name: Name, guard: Guard) -> Controller | str:
    """Return a controller with which groups can be made and joined, or why there is none; tried once."""
    found: Controller | str = once(f"cgroups {name}", lambda: _look(name, guard))
    return found


def _look(name: Name, guard: Guard) -> Controller | str:
    why = f"the kernel has no control groups for {name}"
    for found in candidates(name, Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")):
        refused = _refused(found, guard)
        if refused is None:
            return found
        why = f"control groups for {name} can't be used: {refused}"
    return why


def candidates(name: Name, own: Path, mounts: Path) -> list[Controller]:
    """Return where groups might be made, the nearest first, by the kernel's files on this process."""
    try:
        return _version_1(name, own.read_text(), mounts.read_text()) or _version_2(
            name, own.read_text(), mounts.read_text()
        )
    except OSError:
        return []


def _version_1(name: Name, own: str, mounts: str) -> list[Controller]:
    ours = next((path for _, names, path in _lines(own) if name in names.split(",")), None)
    if ours is None:
        return []
    found = [
        _below(point, root, ours)
        for kind, root, point, options in _mounts(mounts)
        if kind == "cgroup" and name in options.split(",")
    ]
    return [Controller(name, 1, folder) for folder in found]


def _version_2(name: Name, own: str, mounts: str) -> list[Controller]:
    ours = next((path for number, names, path in _lines(own) if number == "0" and not names), "/")
    found: list[Controller] = []
    for kind, root, point, _ in _mounts(mounts):
        if kind != "cgroup2":
            continue
        folder = _below(point, root, ours)
        for parent in (folder, *folder.parents):
            # Only where the controller is handed down already: to turn it on is the machine's owner's affair.
            with suppress(OSError):
                if name in (parent / "cgroup.subtree_control").read_text().split():
                    found.append(Controller(name, 2, parent))
            if parent == Path(point):
                break
    return found


def _lines(own: str) -> list[tuple[str, str, str]]:
    parts = [line.split(":", 2) for line in own.splitlines() if line.count(":") >= 2]
    return [(number, names, path) for number, names, path in parts]


def _mounts(mounts: str) -> list[tuple[str, str, str, str]]:
    """Return kind, root, mount point and options of each mount."""
    found = []
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) >= 5 and len(right) >= 3:
            found.append((right[0], left[3], left[4], right[2]))
    return found


def _below(point: str, root: str, ours: str) -> Path:
    """Return our folder under a mount that may show only a part of the tree."""
    inner = os.path.relpath(ours, root)
    return Path(point) if inner.startswith("..") else Path(os.path.normpath(Path(point, inner)))


def _refused(found: Controller, guard: Guard) -> str | None:
    """Try it: make a group, set a limit, and have a process join. Returns what went wrong."""
    group = found.group(f"capsize-trial-{secrets.token_hex(4)}")
    sleeper: subprocess.Popen[bytes] | None = None
    ticket = guard.before(RemoveCgroup(path=str(group.path)))
    try:
        group.make()
        group.limit(1.0 if found.name == "cpu" else 1 << 40)
        sleeper = subprocess.Popen(["sleep", "5"], stdin=subprocess.DEVNULL)
        group.procs.write_text(str(sleeper.pid))
    except OSError as error:
        return str(error)
    finally:
        if sleeper is not None:
            sleeper.kill()
            sleeper.wait()
        with suppress(OSError):
            group.remove()
        guard.after(ticket)
    return None
