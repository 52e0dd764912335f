"""Less computing time: a quota of the kernel, or busy processes beside the instance where there is none."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from capsize.core.errors import InjectionError
from capsize.guardian import tree
from capsize.platforms.local.harm.groups import Groups
from capsize.platforms.local.process import Process, spawn
from capsize.platforms.local.waits import seen, to_the_end

BUSY = Path(__file__).with_name("busy.py")
BUSY_MAX = 64
BUSY_LIFE_S = 600.0
SEEN_LIMIT_S = 10.0


class CpuLimits:
    """Limits instances. ``env`` is that of the stack's processes, by which the busy ones are known as its own."""

    def __init__(self, groups: Groups, env: Mapping[str, str]) -> None:
        self._groups, self._env = groups, env
        self._busy: dict[str, list[Process]] = {}

    async def limit(self, instance: str, leader: int, cores: float) -> str:
        """Leave an instance so many cores and return by which means. Raises InjectionError."""
        if (why := self._groups.why_not("cpu")) is not None:
            return await self._crowd(instance, cores, why)

        def limited() -> str:
            self._groups.limit(instance, "cpu", cores)
            group = self._groups.hold(instance, "cpu", leader)
            return f"{group.controller} quota, {group.limited()}"

        return await to_the_end(asyncio.to_thread(limited))

    async def free(self, instance: str) -> None:
        """Lift the limit and end the busy processes."""
        await to_the_end(asyncio.to_thread(self._groups.lift, instance, "cpu"))
        await self._disperse(instance)

    async def free_all(self) -> None:
        """End every busy process; the groups go with the stack."""
        for instance in tuple(self._busy):
            await self._disperse(instance)

    async def _disperse(self, instance: str) -> None:
        for process in self._busy.pop(instance, []):
            await to_the_end(asyncio.to_thread(tree.kill, process.pid))
            await process.gone(SEEN_LIMIT_S)

    async def _crowd(self, instance: str, cores: float, why: str) -> str:
        count = crowd_of(cores, os.cpu_count() or 1)
        log = os.open(os.devnull, os.O_WRONLY)
        try:
            fresh = [
                spawn(
                    (sys.executable, "-I", "-S", str(BUSY), f"{BUSY_LIFE_S:g}"),
                    env=self._env,
                    log=log,
                    on_exit=lambda _: None,
                )
                for _ in range(count)
            ]
        finally:
            os.close(log)
        self._busy.setdefault(instance, []).extend(fresh)
        if not await seen(lambda: all(_works(process.pid) for process in fresh), SEEN_LIMIT_S):
            raise InjectionError(f"the busy processes did not work within {SEEN_LIMIT_S:g} s")
        return f"{count} busy processes beside it ({why})"


def crowd_of(cores: float, machine: int) -> int:
    """Return how many busy processes leave one process so much, all being served alike; at most :data:`BUSY_MAX`."""
    return max(machine, min(BUSY_MAX, round(machine / cores) - 1))


def _works(pid: int) -> bool:
    """Return whether a process has had computing time of its own, beyond that of starting."""
    try:
        return psutil.Process(pid).cpu_times().user >= 0.05
    except psutil.NoSuchProcess:
        return False
