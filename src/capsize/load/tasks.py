"""The load that the delivery checkers judge: tasks, each submitted until the service has acknowledged it."""

from __future__ import annotations

import itertools
import random
import uuid
from typing import Annotated, ClassVar, Literal, assert_never

import msgspec

from capsize.core.content import content
from capsize.core.errors import NotSupported
from capsize.core.events import Outcome
from capsize.core.http import Exchange
from capsize.core.protocols import Stage
from capsize.core.seed import stream
from capsize.core.system import System, TaskOrder, Telling
from capsize.load.calls import Caller
from capsize.load.http import HttpClient
from capsize.load.schedule import arrivals, open_loop

SUBMISSIONS_MAX = 10_000
"""So many submissions may wait for their acknowledgement at once."""


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """Submits ``count`` tasks of ``seconds`` each at ``rate`` per second; without a count until cancelled.

    The first one is due ``after_s`` after the load began: several loads, each with a label, make bursts.

    Each task has an idempotency key drawn from the seed and ``label`` (two such loads in one experiment need
    two labels). A try that was refused, or whose outcome nobody knows, is repeated with the same key after
    a growing pause, until the service acknowledges the task; each try is one Op ``submit``.

    ``kind`` says what the tasks do: ``delay`` waits, ``call`` calls the outside service that capsize plays and
    waits up to ``call_timeout_s`` for its answer, ``unknown`` is of a type that no worker knows.
    ``max_attempts`` is what the service is told; None leaves it to the service. With ``cancel_after_s`` each
    task is cancelled so long after its acknowledgement, with one Op ``cancel`` for each try.
    """

    name: ClassVar[str] = "tasks"

    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    rate: Annotated[float, msgspec.Meta(gt=0)] = 50.0
    after_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    backoff_s: tuple[float, float] = (0.1, 1.0)
    label: str = "tasks"
    kind: Literal["delay", "call", "unknown"] = "delay"
    call_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    max_attempts: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cancel_after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None

    @property
    def finite(self) -> bool:
        """Return whether there is a last task."""
        return self.count is not None

    def lacks(self, system: System) -> str | None:
        """Return what the system lacks for these tasks."""
        if self.kind == "call" and system.call_order("http://127.0.0.1", "", timeout_s=1.0) is None:
            return "task type that calls a URL"
        if self.kind == "unknown" and system.unknown_order("") is None:
            return "way to take a task of an unknown type"
        return None

    async def run(self, stage: Stage) -> None:
        """Submit until all are acknowledged, or until cancelled."""
        async with HttpClient.to(stage.platform.api_url, stage.clock) as client:
            caller = Caller(self.label, client.send, stage.clock, stage.record, self.timeout_s)

            async def submit(number: int, planned: float) -> None:
                task = await self._submit(stage, caller, self._key(stage.seed, number), planned)
                if self.cancel_after_s is not None:
                    await stage.clock.sleep(self.cancel_after_s)
                    await self._cancel(stage, caller, task)

            def shed(number: int, planned: float) -> None:
                caller.shed("submit", planned, SUBMISSIONS_MAX, key=self._key(stage.seed, number))

            times = (self.after_s + at for at in itertools.islice(arrivals(self.rate), self.count))
            await open_loop(stage.clock, times, submit, in_flight_max=SUBMISSIONS_MAX, shed=shed)

    async def _submit(self, stage: Stage, caller: Caller, key: str, planned: float) -> str:
        """Try until the task is acknowledged, and return its id."""
        system, order = stage.system, self._order(stage, key)
        request = system.submit(order, stage.auth)

        def promised(exchange: Exchange) -> dict[str, str]:
            return content(system.accepted(order, exchange)) if isinstance(system, Telling) else {}

        draw = stream(stage.seed, "load", self.label, "backoff", key)
        tries = 0
        while True:
            op = await caller.call("submit", request, planned, system.submitted, key=key, content=promised)
            if op.outcome == "ok" and op.task is not None:
                return op.task
            planned = stage.clock.now() + self._pause(tries, draw)
            tries += 1
            await stage.clock.sleep(planned - stage.clock.now())

    async def _cancel(self, stage: Stage, caller: Caller, task: str) -> None:
        """Try until the service says that it is cancelled, or that it is too late for that."""
        request = stage.system.cancel(task, stage.auth)
        draw = stream(stage.seed, "load", self.label, "backoff", task)

        def judge(exchange: Exchange) -> tuple[Outcome, str | None]:
            if exchange.response is None:
                return ("info" if exchange.reached else "fail"), None
            if exchange.response.status == 200:
                return "ok", task
            return ("fail" if exchange.response.status < 500 else "info"), None

        for tries in itertools.count():
            op = await caller.call("cancel", request, stage.clock.now(), judge, about=task)
            if op.outcome == "ok" or (op.status is not None and op.status < 500):
                return
            await stage.clock.sleep(self._pause(tries, draw))

    def _order(self, stage: Stage, key: str) -> TaskOrder:
        order: TaskOrder | None
        match self.kind:
            case "delay":
                order = stage.system.delay_order(self.seconds, key)
            case "call":
                if stage.dependency is None:
                    raise NotSupported(
                        f"the platform {stage.platform.name!r} offers nothing that tasks can call"
                    )
                url = stage.dependency.url_for(key)
                order = stage.system.call_order(url, key, timeout_s=self.call_timeout_s)
            case "unknown":
                order = stage.system.unknown_order(key)
            case _:
                assert_never(self.kind)
        if order is None:
            raise NotSupported(f"the system {stage.system.name!r} has no {self.lacks(stage.system)}")
        return msgspec.structs.replace(order, max_attempts=self.max_attempts)

    def _pause(self, tries: int, draw: random.Random) -> float:
        shortest, longest = self.backoff_s
        return min(longest, shortest * 2.0 ** min(tries, 30)) * draw.uniform(0.5, 1.0)

    def _key(self, seed: int, number: int) -> str:
        bits = stream(seed, "load", self.label, "key", number).getrandbits(128)
        return str(uuid.UUID(int=bits, version=4))
