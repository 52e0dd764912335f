"""The local platform's abilities to harm an instance while it runs; what each promises is in ``core/platform.py``."""

from __future__ import annotations

import asyncio
import resource

from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import (
    ClockSkewable,
    DiskBreakable,
    DiskFillable,
    DiskOperation,
    FilesLimitable,
    MemoryLimitable,
    NamesBreakable,
    NameTrouble,
)
from capsize.core.undo import Guard
from capsize.platforms.local.harm import clocks, disks, names
from capsize.platforms.local.harm.harm import Harm
from capsize.platforms.local.keeper import Keeper
from capsize.platforms.local.process import Process
from capsize.platforms.local.waits import to_the_end


class HarmAbilities:
    """Mixed into the platform, which knows its instances and has a :class:`Harm` while a stack is up."""

    _harm: Harm | None
    _guard: Guard

    def _keeper(self, instance: str) -> Keeper:
        raise NotImplementedError

    def lacks(self, ability: type) -> str | None:
        """Return why an ability is not to be had on this machine; None when it is."""
        if ability is ClockSkewable:
            return found if isinstance(found := clocks.library(), str) else None
        if ability is NamesBreakable:
            return names.why_not(self._guard)
        if ability in (FilesLimitable, MemoryLimitable) and not hasattr(resource, "prlimit"):
            return "limits of a running process can only be changed on Linux"
        if ability in (DiskFillable, DiskBreakable):
            return disks.lacking(self._guard, filling=ability is DiskFillable)
        return None

    # ------------------------------------------------------------ computing time, memory, descriptors

    async def limit_cpu(self, instance: str, cores: float) -> str:
        """Leave an instance so many cores: a quota, or busy processes beside it."""
        return await self._means.cpu.limit(instance, self._running(instance).pid, cores)

    async def free_cpu(self, instance: str) -> None:
        """Give it back what it had."""
        if self._harm is not None:
            await self._harm.cpu.free(instance)

    async def starve(self, instance: str, limit: int | None) -> str:
        """Have the kernel kill it for want of memory, or refuse it more where there are no groups."""
        return await self._means.memory.starve(instance, self._running(instance), limit)

    async def feed(self, instance: str) -> None:
        """Lift the limits on its memory."""
        if self._harm is not None:
            await self._harm.memory.feed(instance)

    async def limit_files(self, instance: str, spare: int) -> str:
        """Lower the limit on the descriptors of its processes to what they hold and ``spare``."""
        files, leader = self._means.files, self._running(instance).pid
        return await to_the_end(asyncio.to_thread(files.lower, instance, leader, spare))

    async def free_files(self, instance: str) -> None:
        """Give its processes their limits back."""
        if self._harm is not None:
            await to_the_end(asyncio.to_thread(self._harm.files.restore, instance))

    # ------------------------------------------------------------ disk

    async def fill_disk(self, instance: str) -> str:
        """Leave no room on the disk under its data."""
        return await self._means.disks.fill(instance)

    async def break_disk(self, instance: str, operations: tuple[DiskOperation, ...]) -> str:
        """Let operations on the disk under its data fail."""
        return await self._means.disks.fail(instance, operations)

    async def slow_disk(self, instance: str, latency_s: float, bytes_per_s: float | None) -> str:
        """Slow the disk under its data down."""
        return await self._means.disks.slow(instance, latency_s, bytes_per_s)

    async def mend_disk(self, instance: str) -> str:
        """Have that disk well."""
        return "" if self._harm is None else await self._harm.disks.mend(instance)

    # ------------------------------------------------------------ clock and names

    async def skew_clock(self, instance: str, offset_s: float) -> str:
        """Move its wall clock."""
        return await self._means.clocks.skew(instance, self._running(instance).pid, offset_s)

    async def right_clock(self, instance: str) -> None:
        """Have its wall clock right."""
        if self._harm is not None:
            await self._harm.clocks.right(instance)

    async def break_names(self, instance: str, how: NameTrouble) -> str:
        """Fail its name resolution."""
        return await self._means.names.fail(instance, how)

    async def mend_names(self, instance: str) -> str:
        """Resolve names for it again."""
        return "" if self._harm is None else await self._harm.names.mend(instance)

    # ------------------------------------------------------------ inside

    @property
    def _means(self) -> Harm:
        if self._harm is None:
            raise InjectionError("nothing is up on this platform")
        return self._harm

    def _running(self, instance: str) -> Process:
        process = self._keeper(instance).process
        if process is None:
            raise Missed(f"{instance} was not running")
        return process
