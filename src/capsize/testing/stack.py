"""A stack that a test breaks by hand, with a witness and a record: what was promised can be asserted afterwards.

It runs in an event loop and a thread of its own, so that tests with and without asyncio use it alike.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from capsize.checkers import judge
from capsize.core.errors import CapsizeError
from capsize.core.events import (
    Event,
    InstanceChanged,
    Op,
    PhaseChanged,
    Reported,
    RunBegan,
    RunEnded,
    Stored,
    Witnessed,
)
from capsize.core.experiment import Experiment, Spec
from capsize.core.platform import Instance
from capsize.core.protocols import Fault
from capsize.core.system import System
from capsize.rundir import RunDirectory
from capsize.runner.byhand import Hand, by_hand
from capsize.runner.execute import execute
from capsize.testing.history import RunHistory
from capsize.testing.laying import spec_of

T = TypeVar("T")

SUBMIT_LIMIT_S = 60.0
SETTLE_LIMIT_S = 60.0
DOWN_LIMIT_S = 180.0


class StackRun:
    """The run behind a stack: begun when the stack stands, over when it is gone; blocks its callers meanwhile."""

    def __init__(self, experiment: Experiment, system: System, platform: str, output: Path) -> None:
        self.experiment = experiment
        self.directory = RunDirectory.create(output, experiment)
        self._system, self._platform = system, platform
        self._hand: Future[Hand] = Future()
        self._over: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="capsize stack", daemon=True)
        self.labels = itertools.count(1)

    def begin(self) -> None:
        """Start it and return when it stands. Raises what kept it from standing."""
        self._thread.start()
        try:
            self._hand.result()
        except BaseException:
            self._thread.join(DOWN_LIMIT_S)
            raise

    def end(self) -> None:
        """Heal, ask for the last word, take everything down, and return when it is gone. Raises what went wrong."""
        if self._loop is not None and self._hand.done() and not self._hand.exception():
            self._loop.call_soon_threadsafe(self.hand.over.set)
        self._thread.join(DOWN_LIMIT_S)
        if self._thread.is_alive():
            raise CapsizeError(f"the stack was not taken down within {DOWN_LIMIT_S:g} s")
        self._over.result(0)
        # For whoever looks at it later; the test has its own assertions.
        self.directory.write_judgement(judge(self.experiment, self.directory.history()))

    @property
    def hand(self) -> Hand:
        """Return what leads the run."""
        return self._hand.result(0)

    def submit(self, call: Coroutine[Any, Any, T]) -> Future[T]:
        """Have the run's loop carry a call out."""
        if self._loop is None or self._over.done():
            call.close()
            raise CapsizeError("the stack is not up any more")
        return asyncio.run_coroutine_threadsafe(call, self._loop)

    def _live(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            if not self._hand.done():
                self._hand.set_exception(error)
            self._over.set_exception(error)
        else:
            self._over.set_result(None)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await execute(
            self.experiment,
            directory=self.directory,
            system=self._system,
            platform=self._platform,
            drive=by_hand(self._hand.set_result),
        )


class Injected:
    """A fault or a load in place for the length of a ``with`` or ``async with`` block."""

    def __init__(self, run: StackRun, made: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._run, self._made = run, made
        self._leave = asyncio.Event()
        self._entered: Future[Any] = Future()
        self._done: Future[None] | None = None

    async def _hold(self) -> None:
        """Enter and leave in one task: what is opened there is closed there."""
        try:
            async with self._made() as value:
                self._entered.set_result(value)
                await self._leave.wait()
        except BaseException as error:
            if not self._entered.done():
                self._entered.set_exception(error)
                return
            raise

    def __enter__(self) -> Any:
        self._done = self._run.submit(self._hold())
        return self._entered.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end().result()

    async def __aenter__(self) -> Any:
        self._done = self._run.submit(self._hold())
        return await asyncio.wrap_future(self._entered)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Shielded: a test that is cancelled leaves only when it is healed.
        await asyncio.shield(asyncio.wrap_future(self._end()))

    def _end(self) -> Future[None]:
        if self._done is None:
            raise CapsizeError("it was not entered")

        async def leave() -> None:
            self._leave.set()

        self._run.submit(leave())
        return self._done


class Both(Generic[T]):
    """The answer of a call that goes on in the stack's loop: ``.result()`` waits for it, ``await`` does too."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def result(self) -> T:
        """Wait and return it, or raise what it raised."""
        return self._future.result()

    def __await__(self) -> Any:
        return asyncio.wrap_future(self._future).__await__()


class Stack:
    """The stack as a test sees it. Methods block; ``stack.aio`` has the same ones to be awaited."""

    def __init__(self, run: StackRun) -> None:
        self._run = run
        self._since = run.hand.stage.clock.now()
        self._label = f"test-{next(run.labels)}"
        self._submissions = itertools.count(1)
        self.aio = AsyncStack(self)

    # ------------------------------------------------------------ what it is

    @property
    def api_url(self) -> str:
        """Return the address of the API, ``http://host:port``."""
        return self._run.hand.stage.platform.api_url

    @property
    def database_url(self) -> str:
        """Return the address of the database."""
        return self._run.hand.stage.platform.database_url

    @property
    def auth(self) -> dict[str, str]:
        """Return the headers that authenticate at the API."""
        return dict(self._run.hand.stage.auth)

    @property
    def directory(self) -> Path:
        """Return the run directory: history, logs, and after the end what ``capsize report`` reads."""
        return self._run.directory.path

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances, of one service or all."""
        return self._run.hand.stage.platform.instances(service)

    # ------------------------------------------------------------ what can be done

    def fault(
        self, fault: Fault | str, *victims: str, busy: bool = False, wait_s: float = 10.0, **args: Any
    ) -> Injected:
        """Return a context: the fault is in place inside it, on these instances or services, and healed after it.

        ``busy`` takes one instance of the service that is inside a task, waiting for it up to ``wait_s``. The context's
        value are the instances that were hit. Raises UsageError, NotSupported, Missed, InjectionError, HealError.
        """
        spec = Spec(name=fault, args=args) if isinstance(fault, str) else spec_of(fault)
        return Injected(self._run, lambda: self._run.hand.fault(spec, victims, busy=busy, wait_s=wait_s))

    def load(self, name: str, **args: Any) -> Injected:
        """Return a context in which a load runs: ``api`` calls at a rate, ``tasks``, ``accounts``, ``operations``."""
        more = {"label": f"{self._label}-{next(self._submissions)}"} if name == "tasks" else {}
        spec = Spec(name=name, args=more | args)
        return Injected(self._run, lambda: self._run.hand.load(spec))

    def submit(self, count: int = 1, *, seconds: float = 0.1, **args: Any) -> None:
        """Submit tasks of so many seconds each and return when all are acknowledged. Raises CapsizeError."""
        self._submit(count, seconds, args).result()

    def settle(self, limit_s: float = SETTLE_LIMIT_S) -> bool:
        """Wait until all accepted tasks are over; returns whether they are within the limit."""
        return self._settle(limit_s).result()

    def history(self, settle_s: float = SETTLE_LIMIT_S) -> RunHistory:
        """Wait until all tasks are over, ask the service for its last word, and return what happened so far.

        Of a stack that several tests share it is what happened since this test began, and this test's tasks.
        """
        return self._history(settle_s).result()

    # ------------------------------------------------------------ inside

    def _submit(self, count: int, seconds: float, args: dict[str, Any]) -> Both[None]:
        label = f"{self._label}-{next(self._submissions)}"
        spec = Spec(name="tasks", args={"count": count, "seconds": seconds, "label": label, **args})

        async def call() -> None:
            if not await self._run.hand.carry_out(spec, SUBMIT_LIMIT_S):
                raise CapsizeError(f"not all of {count} tasks were acknowledged within {SUBMIT_LIMIT_S:g} s")

        return Both(self._run.submit(call()))

    def _settle(self, limit_s: float) -> Both[bool]:
        return Both(self._run.submit(self._run.hand.settle(limit_s)))

    def _history(self, settle_s: float) -> Both[RunHistory]:
        async def call() -> RunHistory:
            await self._run.hand.settle(settle_s)
            await self._run.hand.audit()
            events = [*self._run.directory.history()]
            # What was recorded until now is taken for a whole: the stack goes on, this look at it is over.
            ended = RunEnded(t=events[-1].t, how="completed")
            kept = _since(events, self._since)
            return RunHistory([*kept, ended], self._run.experiment, where=str(self.directory))

        return Both(self._run.submit(call()))


class AsyncStack:
    """The calls of a stack that wait, for tests with asyncio."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def submit(self, count: int = 1, *, seconds: float = 0.1, **args: Any) -> None:
        """See :meth:`Stack.submit`."""
        await self._stack._submit(count, seconds, args)

    async def settle(self, limit_s: float = SETTLE_LIMIT_S) -> bool:
        """See :meth:`Stack.settle`."""
        return bool(await self._stack._settle(limit_s))

    async def history(self, settle_s: float = SETTLE_LIMIT_S) -> RunHistory:
        """See :meth:`Stack.history`."""
        found: RunHistory = await self._stack._history(settle_s)
        return found


def _since(events: Iterable[Event], since: float) -> list[Event]:
    """Return what belongs to the time since then: the world's state before it too, and no task accepted before."""
    events = list(events)
    old = {event.task for event in events if isinstance(event, Op) and event.task and event.t < since}

    def belongs(event: Event) -> bool:
        if isinstance(event, Witnessed | Reported | Stored):
            return event.task not in old
        if isinstance(event, Op):
            return event.t >= since and event.task not in old
        return event.t >= since or isinstance(event, RunBegan | PhaseChanged | InstanceChanged)

    return [event for event in events if belongs(event)]
