"""Less computing time, and want of memory, by the limits of a container's control group; both last over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from capsize.core.errors import InjectionError, Missed
from capsize.platforms.docker.box import Box
from capsize.platforms.docker.engine import Engine, EngineError
from capsize.platforms.docker.order import CPU_PERIOD_US

NO_LIMIT = -1
ROOM = 8 << 20
"""How much more than it uses a container may have while it is filled."""
HOG = ("sh", "-c", "head -c 1G /dev/zero | tail")
"""Takes memory until it is stopped, in any image that has a shell: the last line of that never ends."""
KILL_LIMIT_S = 15.0
FIRST_CHOICE = "1000"
"""The kernel kills the process with the highest score first, and this is the highest that there is."""


class ContainerLimits:
    """Changes the limits of containers while they run, and puts back those that they were made with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def limit_cpu(self, box: Box, cores: float) -> str:
        """Leave it so many cores and return by which means."""
        await self._update(box, cpu_period=CPU_PERIOD_US, cpu_quota=int(cores * CPU_PERIOD_US))
        return f"quota of its container, {cores:g} cores"

    async def free_cpu(self, box: Box) -> None:
        """Give it back what it was made with."""
        if box.container is None:
            return
        cores = None if box.order.cpu is None else min(box.order.cpu, self._engine.cpus)
        quota = NO_LIMIT if cores is None else int(cores * CPU_PERIOD_US)
        await self._update(box, cpu_period=CPU_PERIOD_US, cpu_quota=quota)

    async def starve(self, box: Box, limit: int | None) -> str:
        """Have the kernel kill its main process; its restarts get ``limit`` bytes. Raises Missed and InjectionError."""
        pid, kills = box.instance.pid, box.out_of_memory
        if pid is None:
            raise Missed(f"{box.name} was not running")
        used = await self._engine.ask(_used, box)
        # Chosen first, so that the process that takes the memory is not killed in its place.
        await self._engine.ask(_choose, pid)
        await self._memory(box, used + ROOM)
        try:
            await self._fill(box, kills)
        finally:
            await self._memory(box, box.order.memory if limit is None else limit)
        after = "" if limit is None else f", later ones get {limit >> 20} MiB"
        return f"killed by the kernel, its container out of memory at {(used + ROOM) >> 20} MiB{after}"

    async def feed(self, box: Box) -> None:
        """Give it back the memory that it was made with."""
        if box.container is not None:
            await self._memory(box, box.order.memory)

    async def _fill(self, box: Box, kills: int) -> None:
        gone = box.gone()
        # It dies with the container.
        await self._engine.ask(box.container.exec_run, list(HOG), detach=True)
        try:
            async with asyncio.timeout(KILL_LIMIT_S):
                await box.until(lambda: gone() and box.out_of_memory > kills)
        except TimeoutError:
            raise InjectionError(f"the kernel did not kill {box.name} within {KILL_LIMIT_S:g} s") from None

    async def _memory(self, box: Box, limit: int | None) -> None:
        bound = NO_LIMIT if limit is None else limit
        await self._update(box, mem_limit=bound, memswap_limit=bound)

    async def _update(self, box: Box, **limits: int) -> None:
        try:
            await self._engine.ask(box.container.update, **limits)
        except EngineError as error:
            raise InjectionError(f"the limits of {box.name} can't be changed: {error}") from error


def _used(box: Box) -> int:
    usage = box.container.stats(stream=False)["memory_stats"].get("usage")
    if usage is None:
        raise InjectionError(f"the engine does not tell how much memory {box.name} uses")
    return int(usage)


def _choose(pid: int) -> None:
    try:
        Path(f"/proc/{pid}/oom_score_adj").write_text(FIRST_CHOICE)
    except FileNotFoundError:
        raise Missed(f"process {pid} is gone") from None
    except PermissionError as error:
        raise InjectionError(
            f"process {pid} may not be chosen for the kernel: run capsize as root"
        ) from error
