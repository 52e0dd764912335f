"""A program that is run once, to its end, before the services after it start."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from capsize.core.clock import Clock
from capsize.core.errors import StartError
from capsize.core.events import InstanceChanged, InstanceState
from capsize.core.protocols import Record
from capsize.guardian import tree
from capsize.platforms.local.keeper import Recipe
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.process import Process, spawn
from capsize.platforms.local.waits import to_the_end


@dataclass
class Job:
    """One run of a program; ``stopped`` in the record when it ended well, ``exited`` when it did not."""

    name: str
    recipe: Recipe
    log: InstanceLog
    record: Record
    clock: Clock
    _process: Process | None = field(default=None, init=False)

    async def run(self) -> None:
        """Run it to its end. Raises StartError when it fails or takes too long; leaves nothing running."""
        fd = self.log.open(f"job {self.name} at {self.clock.now():.3f} s")
        try:
            process = spawn(self.recipe.command, env=self.recipe.env, log=fd, on_exit=self._exited)
        finally:
            os.close(fd)
        self._process = process
        self._say("starting", process.pid)
        try:
            in_time = await process.gone(self.recipe.ready_limit_s)
        finally:
            if process.running:
                await to_the_end(asyncio.to_thread(tree.kill, process.pid))
        if not in_time:
            raise StartError(
                f"{self.name} did not end within {self.recipe.ready_limit_s:g} s.{self.log.tail()}"
            )
        if process.code != 0:
            raise StartError(f"{self.name} failed with code {process.code}.{self.log.tail()}")

    def _exited(self, code: int) -> None:
        self._say("stopped" if code == 0 else "exited", None, code)

    def _say(self, state: InstanceState, pid: int | None, code: int | None = None) -> None:
        self.record(
            InstanceChanged(
                t=self.clock.now(), instance=self.name, service=self.name, state=state, pid=pid, code=code
            )
        )
