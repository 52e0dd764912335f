"""Keeps one container as it is wanted: up, with the engine's restarts, or down; and tells what becomes of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from capsize.core.clock import Clock
from capsize.core.errors import InjectionError, Missed, StartError
from capsize.core.events import InstanceChanged, InstanceState
from capsize.core.platform import Instance
from capsize.core.protocols import Record
from capsize.platforms.docker.engine import Engine, EngineError
from capsize.platforms.docker.follower import Follower
from capsize.platforms.docker.news import News, signalled
from capsize.platforms.docker.order import Order
from capsize.platforms.docker.signals import send
from capsize.platforms.local.keeper import LOOK_EVERY_S, LOOK_OFTEN_FOR_S, LOOK_SELDOM_S
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.waits import to_the_end

SEEN_LIMIT_S = 10.0
"""How long the engine may take to say what we have done to a container."""


class Box:
    """One instance and its container. What happens to it comes in by :meth:`hear`; all times are the run's."""

    def __init__(
        self,
        name: str,
        service: str,
        port: int | None,
        order: Order,
        log: InstanceLog,
        engine: Engine,
        record: Record,
        clock: Clock,
    ) -> None:
        self.name, self.service, self.port, self.order, self.log = name, service, port, order, log
        self.frozen = False
        self.code: int | None = None
        self.out_of_memory = 0
        """How often the kernel killed a process of it for want of memory."""
        self.container: Any = None
        self._engine, self._record, self._clock = engine, record, clock
        self._address: str | None = None
        """Its address on the network that it was taken off."""
        self._pid: int | None = None
        self._state: InstanceState = "stopped"
        self._wanted = self._leaving = self._ends_itself = False
        self._starts = self._ends = 0
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._follower: Follower | None = None

    @property
    def instance(self) -> Instance:
        """Return the instance as of now; one that is frozen, or on its way out, is not ready."""
        ready = self._state == "ready" and not self.frozen and not self._leaving
        ready = ready and self._address is None
        return Instance(name=self.name, service=self.service, pid=self._pid, port=self.port, ready=ready)

    def hear(self, news: News) -> None:
        """Take in what happened; it is looked into in its order."""
        self._news.put_nowait(news)

    # ------------------------------------------------------------ up and down

    async def start(self, *, first: bool = False) -> None:
        """Have it up and return when it is ready. Raises StartError with the end of its log.

        ``first``: an exit before it is ready is an error at once, instead of being tried again.
        """
        self._wanted = True
        if self.container is None:
            await self._make()
        ends = self._ends
        try:
            async with asyncio.timeout(self.order.ready_limit_s):
                await self._engine.ask(self.container.start)
                await self.until(
                    lambda: (self._state == "ready" and not self._leaving) or (first and self._ends > ends)
                )
        except TimeoutError:
            raise StartError(
                f"{self.name} was not ready within {self.order.ready_limit_s:g} s.{self.log.tail()}"
            ) from None
        except EngineError as error:
            raise StartError(f"{self.name} can't be started: {error}") from error
        if self._state != "ready":
            await self.written()
            raise StartError(f"{self.name} did not start: it ended with code {self.code}.{self.log.tail()}")

    async def run(self) -> None:
        """Have it up to its end, as a job. Raises StartError when it fails or takes too long."""
        await self._make()
        try:
            async with asyncio.timeout(self.order.ready_limit_s):
                self._wanted = self._ends_itself = True
                await self._engine.ask(self.container.start)
                await self.until(lambda: self._ends > 0)
        except TimeoutError:
            raise StartError(
                f"{self.name} did not end within {self.order.ready_limit_s:g} s.{self.log.tail()}"
            ) from None
        await self.written()
        if self.code != 0:
            raise StartError(f"{self.name} failed with code {self.code}.{self.log.tail()}")

    async def stop(self, *, hard: bool = False, grace_s: float | None = None) -> None:
        """Have it down and return when it is gone; the engine kills it after its grace period."""
        self._wanted = False
        if self.container is None:
            return
        grace_s = self.order.stop_grace_s if grace_s is None else grace_s
        self._leaving = self._pid is not None
        if hard:
            # One that is not running can't be killed, and is not restarted any more by the stop after it.
            with suppress(EngineError):
                await self._engine.ask(self.container.kill)
        await self._engine.ask(self.container.stop, timeout=max(0, round(0 if hard else grace_s)))
        await self._seen(lambda: self._pid is None, "did not go down")
        if self._state != "stopped" and not self._ends_itself:
            self._say("stopped")

    async def remove(self) -> None:
        """Take the container away, and stop listening to it."""
        if self.container is not None:
            with suppress(EngineError):
                await self._engine.ask(self.container.remove, force=True, v=True)
            await self.written()
        self.let_go()

    def let_go(self) -> None:
        """Stop listening to it and leave its container as it is."""
        for task in (self._hearing, self._looking):
            if task is not None:
                task.cancel()

    # ------------------------------------------------------------ harm

    async def kill(self) -> None:
        """Kill its main process, which all others in it die with. Raises Missed when none is running."""
        gone = self.gone()
        await self._signal(signal.SIGKILL)
        await self._seen(gone, "did not die of SIGKILL")

    async def terminate(self) -> None:
        """Ask it to end and return when it is gone, killed after its grace period. Raises Missed."""
        gone = self.gone()
        self._leaving = True
        await self._signal(signal.Signals[self.order.stop_signal])
        try:
            async with asyncio.timeout(self.order.stop_grace_s):
                await self.until(gone)
        except TimeoutError:
            with suppress(Missed):
                await self._signal(signal.SIGKILL)
            await self._seen(gone, "did not die of SIGKILL")

    async def pause(self) -> None:
        """Freeze all its processes and return when they stand still. Raises Missed when none is running."""
        self._running()
        # Set first: whoever heals a freeze that was cut short must find it so.
        self.frozen = True
        try:
            await self._engine.ask(self.container.pause)
        except EngineError as error:
            raise InjectionError(f"{self.name} can't be frozen: {error}") from error

    async def resume(self) -> None:
        """Let it go on and return when it does; nothing when it is not frozen."""
        if self.frozen and self.container is not None:
            await to_the_end(self._thaw())
        self.frozen = False

    async def detach(self) -> None:
        """Take it off its network. Raises Missed when it does not run, or is off already."""
        self._running()
        if self._address is not None:
            raise Missed(f"{self.name} is off its network already")
        network = await self._engine.ask(self._engine.client.networks.get, self.order.network)
        await self._engine.ask(self.container.reload)
        ends = self.container.attrs["NetworkSettings"]["Networks"]
        self._address = str(ends[self.order.network]["IPAddress"])
        try:
            await self._engine.ask(network.disconnect, self.container)
        except EngineError as error:
            raise InjectionError(f"{self.name} can't be taken off its network: {error}") from error

    async def attach(self) -> None:
        """Put it back on its network, under its old address if that is still free; nothing when it is there."""
        if self._address is None or self.container is None:
            return
        network = await self._engine.ask(self._engine.client.networks.get, self.order.network)
        for address in (self._address, None):
            try:
                aliases = list(self.order.aliases)
                await self._engine.ask(network.connect, self.container, aliases=aliases, ipv4_address=address)
            except EngineError as error:
                # By a strike that was cut short it never left.
                if "already exists" in str(error):
                    break
                if address is None:
                    raise InjectionError(f"{self.name} can't be put back on its network: {error}") from error
            else:
                break
        self._address = None

    # ------------------------------------------------------------ inside

    async def written(self) -> None:
        """Wait until what it wrote is in its log file."""
        if self._follower is not None:
            await asyncio.to_thread(self._follower.wait)

    def _running(self) -> int:
        if self._pid is None:
            raise Missed(f"{self.name} was not running")
        return self._pid

    def gone(self) -> Callable[[], bool]:
        """Return what tells whether the process of now is gone. Raises Missed when none is running."""
        pid, ends = self._running(), self._ends
        return lambda: self._pid != pid or self._ends > ends

    async def _signal(self, number: signal.Signals) -> None:
        await self._engine.ask(send, self._running(), self.container, number)
        if self.frozen:
            # A frozen process takes the signal only when it goes on.
            await self.resume()

    async def _thaw(self) -> None:
        try:
            await self._engine.ask(self.container.unpause)
        except EngineError as error:
            await self._engine.ask(self.container.reload)
            if self.container.attrs["State"]["Paused"]:
                raise InjectionError(f"{self.name} does not go on: {error}") from error

    async def _make(self) -> None:
        engine, docker = self._engine, self._engine.client
        words = self.order.spoken(engine.cpus)
        try:
            self.container = await engine.ask(docker.containers.create, **words)
        except EngineError as error:
            raise StartError(f"the container of {self.name} can't be made: {error}") from error
        self._follower = Follower(self.container)
        self._hearing = asyncio.create_task(self._listen(), name=f"hear {self.name}")

    async def _listen(self) -> None:
        while True:
            news = await self._news.get()
            if news.what == "start":
                await self._began(news.t)
            elif news.what == "oom":
                self.out_of_memory += 1
                self._tell()
            else:
                self._ended(news.t, signalled(news.code or 0))

    async def _began(self, t: float) -> None:
        try:
            await self._engine.ask(self.container.reload)
        except EngineError:
            # It has gone already, which is the next thing to be heard.
            return
        state = self.container.attrs["State"]
        await self.written()
        self._starts += 1
        if self._follower is not None and not self._follower.copying:
            fd = await asyncio.to_thread(self.log.open, f"start {self._starts} of {self.name} at {t:.3f} s")
            self._follower.begin(fd)
        # 0: it has ended already, which is the next thing to be heard.
        self._pid = state["Pid"] or None
        self._say("starting", t, pid=self._pid)
        if not self._ends_itself:
            self._looking = asyncio.create_task(self._see_ready(), name=f"look at {self.name}")

    async def _see_ready(self) -> None:
        """Look until it is ready; cancelled when it ends."""
        began = self._clock.now()
        while not await self.order.look():
            fresh = self._clock.now() - began < LOOK_OFTEN_FOR_S
            await asyncio.sleep(LOOK_EVERY_S if fresh else LOOK_SELDOM_S)
        self._say("ready", pid=self._pid)

    def _ended(self, t: float, code: int) -> None:
        if self._looking is not None:
            self._looking.cancel()
        pid, self._pid, self.code = self._pid, None, code
        self.frozen = self._leaving = False
        self._ends += 1
        expected = not self._wanted or (self._ends_itself and code == 0)
        self._say("stopped" if expected else "exited", t, pid=pid, code=code)

    async def _seen(self, seen: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(SEEN_LIMIT_S):
                await self.until(seen)
        except TimeoutError:
            raise InjectionError(f"{self.name} {otherwise} within {SEEN_LIMIT_S:g} s") from None

    def _say(
        self, state: InstanceState, t: float | None = None, *, pid: int | None = None, code: int | None = None
    ) -> None:
        self._state = state
        self._record(
            InstanceChanged(
                t=self._clock.now() if t is None else t,
                instance=self.name,
                service=self.service,
                state=state,
                pid=pid,
                code=code,
            )
        )
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever the container changes."""
        while not seen():
            await self._changed.wait()
