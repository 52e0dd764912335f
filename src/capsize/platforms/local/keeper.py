"""Keeps one instance as it is wanted: up, with restarts, or down."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from capsize.core.clock import Clock
from capsize.core.errors import InjectionError, Missed, StartError
from capsize.core.events import InstanceChanged, InstanceState
from capsize.core.platform import Instance
from capsize.core.protocols import Record
from capsize.core.undo import Guard, Resume
from capsize.guardian import Unguarded, tree
from capsize.guardian.owner import Owner
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.looks import Look
from capsize.platforms.local.process import Process, spawn
from capsize.platforms.local.waits import to_the_end

LOOK_EVERY_S = 0.01
LOOK_SELDOM_S = 0.05
LOOK_OFTEN_FOR_S = 5.0
"""Then it waits for something else, a database that is down perhaps, and looks less often."""

KILL_LIMIT_S = 10.0


@dataclass(frozen=True)
class Recipe:
    """How an instance is started, seen to be ready, and stopped.

    ``before`` is run ahead of every start, to clear away what a killed process left. ``outlives``: it goes on
    when capsize ends. ``joins`` tells, at each start, which control groups it enters; ``binds`` are files of ours
    that it sees in the place of the machine's.
    """

    command: tuple[str, ...]
    env: Mapping[str, str]
    look: Look
    ready_limit_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10.0
    restart: bool = True
    user: pwd.struct_passwd | None = None
    cwd: Path | None = None
    before: Callable[[], Awaitable[None]] | None = None
    outlives: bool = False
    joins: Callable[[], Sequence[Path]] = tuple
    binds: Sequence[tuple[Path, Path]] = ()


@dataclass(frozen=True)
class RestartPolicy:
    """When an instance that exited is started again, as container engines do it.

    The delay doubles with each exit; it is back at the first one when the instance had been ready for
    ``reset_s``. That is one second where engines take ten: the exits are capsize's own doing, and a service
    that comes back each time must not be held back for it. After ``tries_max`` exits in a row before it was ready the supervisor gives up.
    """

    first_s: float = 0.1
    longest_s: float = 5.0
    reset_s: float = 1.0
    tries_max: int = 10


@dataclass
class _Past:
    """What the restart policy looks back on."""

    delay_s: float
    failed_starts: int = 0


class Keeper:
    """One instance, its process, and the task that starts it again. All times are the run's."""

    def __init__(
        self,
        name: str,
        service: str,
        port: int | None,
        recipe: Recipe,
        log: InstanceLog,
        record: Record,
        clock: Clock,
        policy: RestartPolicy = RestartPolicy(),
        guard: Guard | None = None,
    ) -> None:
        self.name, self.service, self.port = name, service, port
        self.log = log
        self.frozen = False
        self._recipe, self._record, self._clock, self._policy = recipe, record, clock, policy
        self._process: Process | None = None
        self._leaving: Process | None = None
        self._state: InstanceState = "stopped"
        self._ready_at: float | None = None
        self._wanted = False
        self._starts = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._past = _Past(policy.first_s)
        self._guard = guard or Unguarded()
        self._freeze: str | None = None

    # ------------------------------------------------------------ what it is

    @property
    def process(self) -> Process | None:
        """Return the process when one is running."""
        return self._process if self._process is not None and self._process.running else None

    @property
    def leaving(self) -> bool:
        """Return whether its process was asked to end and has not done so yet."""
        return self._leaving is not None and self._leaving is self.process

    @property
    def instance(self) -> Instance:
        """Return the instance as of now; one that is frozen, or on its way out, is not ready."""
        process = self.process
        return Instance(
            name=self.name,
            service=self.service,
            pid=None if process is None else process.pid,
            port=self.port,
            ready=self._state == "ready" and not self.frozen and not self.leaving,
        )

    # ------------------------------------------------------------ up and down

    async def start(self, *, first: bool = False) -> None:
        """Have it up and return when it is ready. Raises StartError with the end of its log.

        ``first``: an exit before it is ready is an error at once, instead of being tried again.
        """
        if not self._wanted:
            self._wanted = True
            self._past = _Past(self._policy.first_s)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")
            self._task.add_done_callback(lambda _: self._tell())
        task, start = self._task, self._starts

        def decided() -> bool:
            failed = first and self._state == "exited" and self._starts > start
            return (self._state == "ready" and not self.leaving) or task.done() or failed

        try:
            async with asyncio.timeout(self._recipe.ready_limit_s):
                await self._until(decided)
        except TimeoutError:
            raise StartError(
                f"{self.name} was not ready within {self._recipe.ready_limit_s:g} s.{self.log.tail()}"
            ) from None
        if self._state != "ready":
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise StartError(f"{self.name} can't be started: {error}") from error
            raise StartError(f"{self.name} did not start: {self._why()}.{self.log.tail()}")

    async def stop(self, *, hard: bool = False, grace_s: float | None = None) -> None:
        """Have it down and return when it is gone; SIGKILL when it takes longer than its grace period."""
        self._wanted = False
        self._tell()
        if hard:
            await self._destroy()
        elif self.process is not None:
            await self._end(self._recipe.stop_signal, grace_s)
        if self._task is not None:
            await asyncio.wait({self._task})
        if self._state != "stopped":
            self._say("stopped")

    # ------------------------------------------------------------ harm

    async def kill(self) -> None:
        """Kill all its processes and return when they are gone. Raises Missed when none is running."""
        self._running()
        await self._destroy()

    async def terminate(self) -> None:
        """Ask it to end and return when it is gone, killed after its grace period. Raises Missed."""
        self._running()
        await self._end(self._recipe.stop_signal)

    async def pause(self) -> None:
        """Freeze all its processes and return when they stand still. Raises Missed when none is running."""
        process = self._running()
        # Set first: whoever heals a freeze that was cut short must find it so.
        self.frozen = True
        if self._freeze is None:
            self._freeze = self._guard.before(Resume(pid=process.pid, created=Owner.of(process.pid).created))
        await to_the_end(asyncio.to_thread(tree.freeze, process.pid))
        if not process.running:
            raise InjectionError(f"{self.name} ended while it was being frozen")

    async def resume(self) -> None:
        """Let it go on and return when it does; nothing when it is not frozen."""
        process = self.process
        if process is not None:
            await to_the_end(asyncio.to_thread(tree.thaw, process.pid))
        self._thawed()

    def let_go(self) -> None:
        """Stop keeping it and leave its process, if one is running, as it is."""
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------ inside

    def _running(self) -> Process:
        if self.process is None:
            raise Missed(f"{self.name} was not running")
        return self.process

    async def _keep(self) -> None:
        """Start it, and again after each exit, until it is wanted down or hopeless."""
        while self._wanted:
            if self._recipe.before is not None:
                await self._recipe.before()
                if not self._wanted:
                    return
            process = self._launch()
            await self._see_ready(process)
            await process.gone()
            if not self._wanted or not self._recipe.restart:
                return
            delay = self._next_delay()
            if delay is None:
                self._wanted = False
                self._say("gave_up", detail=self._why())
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._until(lambda: not self._wanted)

    def _launch(self) -> Process:
        self._starts += 1
        self._ready_at = None
        fd = self.log.open(f"start {self._starts} of {self.name} at {self._clock.now():.3f} s")
        try:
            self._process = spawn(
                self._recipe.command,
                env=self._recipe.env,
                log=fd,
                on_exit=self._exited,
                user=self._recipe.user,
                cwd=self._recipe.cwd,
                outlives=self._recipe.outlives,
                joins=self._recipe.joins(),
                binds=self._recipe.binds,
            )
        finally:
            os.close(fd)
        self._say("starting", pid=self._process.pid)
        return self._process

    async def _see_ready(self, process: Process) -> None:
        """Look until it is ready or gone. There is no limit: an engine leaves a slow one alone too."""
        began = self._clock.now()
        while process.running:
            if await self._recipe.look() and process.running:
                self._ready_at = self._clock.now()
                self._say("ready", pid=process.pid)
                return
            fresh = self._clock.now() - began < LOOK_OFTEN_FOR_S
            await process.gone(LOOK_EVERY_S if fresh else LOOK_SELDOM_S)

    def _thawed(self) -> None:
        self.frozen = False
        if self._freeze is not None:
            self._guard.after(self._freeze)
            self._freeze = None

    def _exited(self, code: int) -> None:
        self._thawed()
        pid = None if self._process is None else self._process.pid
        self._say("exited" if self._wanted else "stopped", pid=pid, code=code)

    def _next_delay(self) -> float | None:
        """Return how long to wait before the next start; None when it is hopeless."""
        if self._ready_at is None:
            self._past.failed_starts += 1
        else:
            self._past.failed_starts = 0
            if self._clock.now() - self._ready_at >= self._policy.reset_s:
                self._past.delay_s = self._policy.first_s
        if self._past.failed_starts >= self._policy.tries_max:
            return None
        delay = self._past.delay_s
        self._past.delay_s = min(delay * 2, self._policy.longest_s)
        return delay

    async def _end(self, number: signal.Signals, grace_s: float | None = None) -> None:
        """Send a signal, wait for the grace period, and kill what is left then."""
        process = self.process
        if process is None:
            return
        self._leaving = process
        process.signal(number)
        if self.frozen:
            # A frozen process takes the signal only when it goes on.
            await self.resume()
        if not await process.gone(self._recipe.stop_grace_s if grace_s is None else grace_s):
            await self._destroy()

    async def _destroy(self) -> None:
        process = self.process
        if process is None:
            return
        await to_the_end(asyncio.to_thread(tree.kill, process.pid))
        if not await process.gone(KILL_LIMIT_S):
            raise InjectionError(f"{self.name} (process {process.pid}) did not die of SIGKILL")

    def _why(self) -> str:
        code = None if self._process is None else self._process.code
        if code is None:
            return "it was stopped meanwhile"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"its process ended with {how}"

    def _say(
        self, state: InstanceState, *, pid: int | None = None, code: int | None = None, detail: str = ""
    ) -> None:
        self._state = state
        self._record(
            InstanceChanged(
                t=self._clock.now(),
                instance=self.name,
                service=self.service,
                state=state,
                pid=pid,
                code=code,
                detail=detail,
            )
        )
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until(self, seen: Callable[[], bool]) -> None:
        while not seen():
            task = self._task
            if task is not None and task.done():
                return
            await self._news.wait()
