"""Clients that ask until they know: one Op for each try, and what a user does whose answers are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from capsize.core.events import Event, Op
from capsize.core.http import Exchange, Request, Response
from capsize.core.seed import stream
from capsize.load.accounts import Accounts, _Journey
from capsize.load.operations import Operations, _Cycle
from capsize.load.stubborn import Stubborn, status
from capsize.systems import Starter
from support.simulated import SimulatedClock, run

Answer = Callable[[Request], int | None]
"""The status that a request is answered with; None: no answer, though it was sent."""


@dataclass
class Wire:
    """A client in whose place a function answers."""

    clock: SimulatedClock
    answer: Answer
    asked: list[str] = field(default_factory=list)

    async def send(self, request: Request, timeout_s: float) -> Exchange:
        """Answer."""
        self.asked.append(f"{request.method} {request.path}")
        now = self.clock.now()
        code = self.answer(request)
        if code is None:
            return Exchange(sent=now, done=now, error="reset")
        body: dict[str, Any] = {"id": "T1", "status": "completed", "token": "t", "refresh_token": "r"}
        return Exchange(sent=now, done=now, response=Response(status=code, body=msgspec.json.encode(body)))


@dataclass
class Bench:
    """As much of a stage as these loads need."""

    clock: SimulatedClock
    events: list[Event] = field(default_factory=list)
    system: Starter = field(default_factory=Starter)
    auth: tuple[tuple[str, str], ...] = (("authorization", "Bearer x"),)
    seed: int = 1

    def record(self, event: Event) -> None:
        """Take an event down."""
        self.events.append(event)

    def ops(self) -> list[tuple[str, str, int | None]]:
        """Return the calls with their outcomes."""
        return [(op.call, op.outcome, op.status) for op in self.events if isinstance(op, Op)]


def bench(answer: Answer) -> tuple[Bench, Wire, Stubborn]:
    """Return a stage, a wire on which these answers come, and a client on it."""
    clock = SimulatedClock()
    stage, wire = Bench(clock), Wire(clock, answer)
    return stage, wire, Stubborn(stage, wire, "client", stream(1, "test"))  # type: ignore[arg-type]


def in_turn(*codes: int | None) -> Answer:
    """Return answers one after the other."""
    left = list(codes)
    return lambda request: left.pop(0)


def test_it_asks_until_the_answer_is_definite() -> None:
    """No answer and a 5xx leave it open; a conflict settles it, and is no success."""

    async def main() -> None:
        stage, _, asker = bench(in_turn(None, 503, 409))
        answer = await asker.ask("delete", Request(method="DELETE", path="/x"), (204,), about="T1", key="k")
        assert status(answer) == 409
        assert stage.ops() == [("delete", "info", None), ("delete", "info", 503), ("delete", "fail", 409)]
        assert {(op.task, op.key) for op in stage.events if isinstance(op, Op)} == {("T1", "k")}

    run(main())


def test_a_success_tells_what_was_made() -> None:
    """Only then, and only if the call is not about a task already."""

    async def main() -> None:
        stage, _, asker = bench(in_turn(None, 201))
        await asker.ask("submit", Request(method="POST", path="/x"), (201,), made=lambda exchange: "T7")
        assert [op.task for op in stage.events if isinstance(op, Op)] == [None, "T7"]

    run(main())


@pytest.mark.parametrize("thief", [True, False])
def test_a_user_whose_refresh_was_lost_logs_in_again(thief: bool) -> None:
    """Its own first try spent the token: a thief's game with it would say nothing of the new session."""
    refreshes = in_turn(None, 401)

    def answer(request: Request) -> int | None:
        if request.path == "/auth/refresh":
            return refreshes(request)
        if request.path == "/auth/register":
            return 201
        return 204 if request.path == "/auth/logout" else 200

    async def main() -> None:
        stage, _, asker = bench(answer)
        await _Journey(stage.system, asker, "user").go(thief=thief)
        steps = [call.removeprefix("account:") for call, _, _ in stage.ops()]
        assert steps == [
            "register", "login", "me", "refresh", "refresh", "login", "me", "logout", "ended",
        ]  # fmt: skip

    run(main())


def test_a_thief_ends_the_session() -> None:
    """The spent token is played once more, and the session is asked for; then the user begins a new one."""

    async def main() -> None:
        stage, _, asker = bench(lambda request: 201 if request.path == "/auth/register" else 200)
        await _Journey(stage.system, asker, "user").go(thief=True)
        steps = [call.removeprefix("account:") for call, _, _ in stage.ops()]
        assert steps[3:7] == ["refresh", "reuse", "ended", "login"]

    run(main())


def test_the_cycle_of_a_cancelled_task() -> None:
    """Cancelled, taken up again, deleted; each call is about the task, also when nobody knows its outcome."""
    looks = iter(["cancelled", "completed"])
    cancels = in_turn(503, 409)

    async def main() -> None:
        clock = SimulatedClock()
        stage = Bench(clock)

        class Looking(Wire):
            async def send(self, request: Request, timeout_s: float) -> Exchange:
                exchange = await super().send(request, timeout_s)
                if request.method == "GET" and exchange.response is not None:
                    body = msgspec.json.encode({"id": "T1", "status": next(looks)})
                    return msgspec.structs.replace(exchange, response=Response(status=200, body=body))
                return exchange

        def answer(request: Request) -> int | None:
            if request.path.endswith("/cancel"):
                return cancels(request)
            return {"POST /tasks": 201, "DELETE /tasks/T1": 204}.get(f"{request.method} {request.path}", 200)

        wire = Looking(clock, answer)
        asker = Stubborn(stage, wire, "operations", stream(1, "test"))  # type: ignore[arg-type]
        await _Cycle(stage, wire, asker, "key").cancelled(Operations())  # type: ignore[arg-type]
        assert [(call, outcome) for call, outcome, _ in stage.ops()] == [
            ("submit", "ok"), ("cancel", "info"), ("cancel", "fail"), ("retry", "ok"), ("delete", "ok"),
        ]  # fmt: skip
        assert {op.task for op in stage.events if isinstance(op, Op)} == {"T1"}

    run(main())


def test_what_a_system_must_have_for_them() -> None:
    """The starter has it all; a system without is told what it lacks."""
    assert Accounts().lacks(Starter()) is None
    assert Operations().lacks(Starter()) is None
    assert Accounts().lacks(object()) == "accounts and sessions"  # type: ignore[arg-type]
    assert Operations().lacks(object()) == "operations on tasks"  # type: ignore[arg-type]
    assert asyncio.iscoroutinefunction(Accounts().run)
