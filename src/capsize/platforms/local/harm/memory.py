"""Want of memory: a kill by the kernel in a group that is full, or refused allocations where there are no groups."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from capsize.core.errors import InjectionError, Missed
from capsize.core.undo import Guard
from capsize.guardian import tree
from capsize.platforms.local.harm.cgroups import Group
from capsize.platforms.local.harm.groups import Groups
from capsize.platforms.local.harm.limits import Limits
from capsize.platforms.local.process import Process, spawn
from capsize.platforms.local.waits import to_the_end

HOG = Path(__file__).with_name("hog.py")
HOG_MIB = 64
TIGHT_BYTES = 24 << 20
"""The group's limit while it is made to run full: less than the hog wants, enough for it to start."""
KILL_LIMIT_S = 15.0
LOOK_S = 0.005
FIRST_CHOICE = 1000
"""The kernel kills the process with the highest score first, and this is the highest that there is."""


class MemoryLimits:
    """Has instances run out of memory. What a process held before it joined a group is not counted in there:

    so the group is filled by a process of ours, and the kernel is told whom to kill first.
    """

    def __init__(self, groups: Groups, guard: Guard, env: Mapping[str, str]) -> None:
        self._groups, self._env = groups, env
        self._limits = Limits(resource.RLIMIT_AS, guard)

    async def starve(self, instance: str, victim: Process, limit: int | None) -> str:
        """Have the kernel kill it; later processes of it get ``limit`` bytes. Raises Missed and InjectionError."""
        if (why := self._groups.why_not("memory")) is not None:
            return await to_the_end(asyncio.to_thread(self._refuse, instance, victim.pid, why))
        group = await to_the_end(asyncio.to_thread(self._tighten, instance, victim.pid))
        if limit is not None:
            # Before the kill: the next process of it may be started at once.
            await to_the_end(asyncio.to_thread(self._hold, instance, limit))
        await self._fill(group, instance, victim)
        after = "" if limit is None else f", later ones get {limit >> 20} MiB"
        return f"killed by the kernel, {group.controller} out of memory{after}"

    async def feed(self, instance: str) -> None:
        """Lift every limit."""
        await to_the_end(asyncio.to_thread(self._groups.lift, instance, "memory"))
        await to_the_end(asyncio.to_thread(self._limits.restore, instance))

    def forget(self) -> None:
        """All processes are gone."""
        self._limits.forget()

    def _hold(self, instance: str, limit: int) -> None:
        self._groups.limit(instance, "memory", limit)
        self._groups.hold(instance, "memory", None)

    def _tighten(self, instance: str, leader: int) -> Group:
        # A group of its own: the instance's may have a limit that it is to keep, and pages that stay there.
        name = f"{instance}-full"
        group = self._groups.of(name, "memory")
        self._groups.limit(name, "memory", TIGHT_BYTES)
        self._groups.gather(group, leader)
        try:
            Path(f"/proc/{leader}/oom_score_adj").write_text(str(FIRST_CHOICE))
        except FileNotFoundError:
            raise Missed(f"{instance} was not running") from None
        return group

    async def _fill(self, group: Group, instance: str, victim: Process) -> None:
        before = group.kills()
        hog = self._hog(group)
        try:
            async with asyncio.timeout(KILL_LIMIT_S):
                while victim.running:
                    if not hog.running:
                        # It was killed in the victim's place: try again, within the limit.
                        hog = self._hog(group)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise InjectionError(f"the kernel did not kill {instance} within {KILL_LIMIT_S:g} s") from None
        finally:
            if hog.running:
                await to_the_end(asyncio.to_thread(tree.kill, hog.pid))
                await hog.gone(KILL_LIMIT_S)
        if group.kills() == before or victim.code != -9:
            raise InjectionError(f"{instance} ended by itself ({victim.code}), not for want of memory")

    def _hog(self, group: Group) -> Process:
        log = os.open(os.devnull, os.O_WRONLY)
        try:
            return spawn(
                (sys.executable, "-I", "-S", str(HOG), str(HOG_MIB), f"{KILL_LIMIT_S:g}"),
                env=self._env,
                log=log,
                on_exit=lambda _: None,
                joins=(group.procs,),
            )
        finally:
            os.close(log)

    def _refuse(self, instance: str, leader: int, why: str) -> str:
        told = []
        for process in tree.members(leader):
            with suppress(psutil.NoSuchProcess):
                size = process.memory_info().vms
                if self._limits.lower(instance, process.pid, size) is not None:
                    told.append(size >> 20)
        if not told:
            raise Missed(f"{instance} was not running")
        return f"allocations beyond {max(told)} MiB of address space are refused, nothing is killed ({why})"
