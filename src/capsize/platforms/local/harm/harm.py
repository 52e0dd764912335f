"""Everything by which one stack's instances can be harmed while they run, laid at their start and cleared at the end."""

from __future__ import annotations

import asyncio
import pwd
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil

from capsize.core.clock import Clock
from capsize.core.errors import CapsizeError, InjectionError, StartError
from capsize.core.events import Noted
from capsize.core.platform import Service
from capsize.core.protocols import Record
from capsize.core.undo import Guard
from capsize.guardian.belonging import MARK
from capsize.platforms.local.harm.cgroups import Name
from capsize.platforms.local.harm.clocks import Clocks
from capsize.platforms.local.harm.cpu import CpuLimits
from capsize.platforms.local.harm.disks import Disks
from capsize.platforms.local.harm.files import FileLimits
from capsize.platforms.local.harm.groups import Groups
from capsize.platforms.local.harm.memory import MemoryLimits
from capsize.platforms.local.harm.names import Names
from capsize.platforms.local.harm.outside import Outside
from capsize.platforms.local.keeper import Recipe
from capsize.platforms.local.waits import to_the_end


class Harm:
    """The means of one stack; ``place`` is its folder."""

    def __init__(
        self, place: Path, guard: Guard, record: Record, clock: Clock, *, outlives: bool = False
    ) -> None:
        env = {MARK: str(place)}
        self._record, self._clock, self._said = record, clock, False
        self._outside = [Outside(place, guard) for _ in range(3)]
        groups, disks, clocks = self._outside
        self.groups = Groups(groups)
        self.cpu = CpuLimits(self.groups, env)
        self.memory = MemoryLimits(self.groups, guard, env)
        self.files = FileLimits(guard)
        self.disks = Disks(disks, env, outlives=outlives)
        self.clocks = Clocks(clocks)
        self.names = Names(place)
        self._around: dict[str, tuple[dict[str, str], tuple[tuple[Path, Path], ...]]] = {}

    async def lay(
        self, service: Service, instance: str, folder: Path | None, user: pwd.struct_passwd | None = None
    ) -> None:
        """Lay what an instance needs to be harmed as its service was prepared for. Raises StartError.

        ``folder`` is where it has its data, ``user`` whom it runs as if not as us.
        """
        self.keep_limits(service, instance, folder)
        env: dict[str, str] = {}
        binds: tuple[tuple[Path, Path], ...] = ()
        try:
            if "clock" in service.prepared:
                env = self.clocks.prepare(instance, user)
            if "names" in service.prepared:
                binds = await self.names.prepare(instance)
            if "disk" in service.prepared and folder is not None:
                await self.disks.lay(instance, folder)
        except InjectionError as error:
            raise StartError(f"{instance} can't be started ready for its faults: {error}") from error
        self._around[instance] = env, binds

    def equip(self, instance: str, recipe: Recipe) -> Recipe:
        """Return how an instance is started with what was laid for it."""
        env, binds = self._around.get(instance, ({}, ()))
        before = recipe.before

        async def ahead() -> None:
            if before is not None:
                await before()
            if env:
                await self.clocks.before_start(instance)

        return replace(
            recipe,
            env={**recipe.env, **env},
            binds=binds,
            joins=partial(self.groups.joins, instance),
            before=ahead if env else before,
        )

    def keep_limits(self, service: Service, instance: str, folder: Path | None) -> None:
        """Hold an instance to its service's limits from its start; say once when that can't be done."""
        wanted: dict[Name, float | None] = {"cpu": service.cpu, "memory": service.memory}
        if service.role == "database" and service.memory is not None and folder and _in_memory(folder):
            wanted["memory"] = None
            self._say(
                f"the memory of {service.name} is not limited: its disk is in memory and would be counted"
            )
        for name, amount in wanted.items():
            if amount is None:
                continue
            try:
                self.groups.keep(instance, name, amount)
            except InjectionError as error:
                self._say(f"the limits of {service.name} are not kept: {error}")

    def leave(self) -> None:
        """Let go of what goes on without us; the folder names it."""
        self.names.leave()
        for outside in self._outside:
            outside.done()

    async def clear(self) -> None:
        """Take everything away, whatever fails; the instances are gone. Raises StartError naming what is left."""
        left: list[str] = []
        self.names.remove()
        self.clocks.remove()
        self.files.forget()
        self.memory.forget()
        await self.cpu.free_all()
        for clearing in (self.disks.remove(), to_the_end(asyncio.to_thread(self.groups.remove))):
            try:
                await clearing
            except (CapsizeError, OSError) as error:
                left.append(str(error))
        if left:
            raise StartError("; ".join(left))

    def _say(self, message: str) -> None:
        if not self._said:
            self._said = True
            self._record(Noted(t=self._clock.now(), level="info", message=message))


def _in_memory(folder: Path) -> bool:
    """Return whether a folder is on a file system that is kept in memory, where each file counts as such."""
    holding = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(holding, key=lambda part: len(part.mountpoint)).fstype == "tmpfs" if holding else False
