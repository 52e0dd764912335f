"""The starter's adapter: what it asks the service, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from capsize.core.errors import CapsizeError
from capsize.core.http import Exchange, Request, Response
from capsize.systems import Starter

AUTH = (("authorization", "Bearer x"),)


def answer(status: int, body: Any = None) -> Exchange:
    """Return an exchange that was answered so."""
    return Exchange(sent=0.0, done=0.1, response=Response(status=status, body=msgspec.json.encode(body)))


def task(name: str, status: str, **more: Any) -> dict[str, Any]:
    """Return a task as the service tells it."""
    return {"id": name, "type": "webhook", "status": status, "attempts": 0, "losses": 0, "error": None} | more


class Service:
    """Answers by path; keeps what it was asked."""

    def __init__(self, answers: dict[str, Exchange]) -> None:
        self.answers, self.asked = answers, []

    async def send(self, request: Request, limit_s: float) -> Exchange:
        """Answer one request."""
        self.asked.append(request.path)
        return self.answers.get(request.path, answer(503))


def test_the_audit_believes_the_dead_letter_queue_and_not_the_status() -> None:
    """Both pages are read; a failed task that no page lists is not dead-lettered; errors are kept."""
    service = Service(
        {
            "/tasks/T1": answer(200, task("T1", "failed", error="UnknownType: no", attempts=1)),
            "/tasks/T2": answer(200, task("T2", "failed", error="boom", attempts=3)),
            "/tasks/T3": answer(200, task("T3", "completed")),
            "/tasks/dead-letter?limit=100": answer(
                200, {"items": [task("X", "failed")], "next_cursor": "abc"}
            ),
            "/tasks/dead-letter?limit=100&cursor=abc": answer(
                200, {"items": [task("T1", "failed")], "next_cursor": None}
            ),
        }
    )
    reported = {one.task: one for one in asyncio.run(Starter().audit(service.send, AUTH, ["T1", "T2", "T3"]))}
    assert (reported["T1"].dead_lettered, reported["T1"].error) == (True, "UnknownType: no")
    assert (reported["T2"].status, reported["T2"].dead_lettered) == ("failed", False)
    assert (reported["T3"].status, reported["T3"].dead_lettered) == ("completed", False)


def test_an_audit_without_the_dead_letter_queue_is_none() -> None:
    """When a task failed, and the queue can't be listed, nothing can be said of it."""
    service = Service({"/tasks/T1": answer(200, task("T1", "failed"))})
    with pytest.raises(CapsizeError, match="dead-letter queue"):
        asyncio.run(Starter().audit(service.send, AUTH, ["T1"]))


def test_circuits_are_read_by_type() -> None:
    """The states that are listed; anything but a proper answer is none."""
    system = Starter()
    listed = [{"type": "webhook", "state": "open", "failures": 5, "opened_at": None, "open_until": None}]
    assert system.circuits(answer(200, {"items": listed})) == {"webhook": "open"}
    assert system.circuits(answer(503)) is None
    assert system.circuits(answer(200, {"items": [{"type": "webhook", "state": "ajar"}]})) is None
    assert system.circuits(Exchange(sent=0.0, done=0.1, error="refused", reached=False)) is None
    assert system.breakers(AUTH).headers == AUTH


def test_orders_become_submissions() -> None:
    """A call carries its address, its limit and its attempts; an unknown type is one that no handler has."""
    system = Starter()
    order = system.call_order("http://127.0.0.1:9/calls/k", "k", timeout_s=0.5)
    request = system.submit(msgspec.structs.replace(order, max_attempts=20), AUTH)
    body = msgspec.json.decode(request.body)
    assert body == {
        "type": "webhook",
        "payload": {"url": "http://127.0.0.1:9/calls/k", "timeout_s": 0.5},
        "max_attempts": 20,
    }
    assert ("idempotency-key", "k") in request.headers
    assert "max_attempts" not in msgspec.json.decode(system.submit(system.unknown_order("u"), AUTH).body)


def test_the_circuit_s_figures_become_the_starter_s_settings() -> None:
    """The experiment names them without knowing the starter's variables."""
    settings = {"lease_s": "3", "breaker_failures": "5", "breaker_open_s": "2", "retry_base_s": "1"}
    worker = next(service for service in Starter().services({}, settings) if service.name == "worker")
    assert worker.env["STARTER_BREAKER_FAILURES"] == "5"
    assert worker.env["STARTER_BREAKER_OPEN_S"] == "2"
    assert worker.env["STARTER_RETRY_BASE_S"] == "1"
    assert "STARTER_BREAKER_OPEN_S" not in Starter().services({}, {})[-1].env


def test_what_may_be_relied_on_is_the_order_and_the_answer() -> None:
    """Type and payload as ordered; priority and attempts as ordered, or as the acknowledgement states them."""
    system = Starter()
    order = system.delay_order(0.5, "k")
    answered = answer(201, task("T1", "pending", payload={"seconds": 9}, priority=0, max_attempts=3))
    promised = {"type": "delay", "payload": {"seconds": 0.5}, "priority": 0, "max_attempts": 3}
    assert system.accepted(order, answered) == promised
    asked = msgspec.structs.replace(order, priority=7, max_attempts=20)
    assert system.accepted(asked, answered) == promised | {"priority": 7, "max_attempts": 20}
    assert system.accepted(order, answer(201, "T1")) == {"type": "delay", "payload": {"seconds": 0.5}}


def test_the_audit_tells_what_the_service_holds() -> None:
    """As values; a field that the answer leaves out is null, so that its loss shows."""
    whole = task("T1", "completed", type="delay", payload={"seconds": 2.0}, priority=0, max_attempts=3)
    bare = {"id": "T2", "status": "completed", "type": "delay"}
    service = Service({"/tasks/T1": answer(200, whole), "/tasks/T2": answer(200, bare)})
    one, two = asyncio.run(Starter().audit(service.send, AUTH, ["T1", "T2"]))
    assert one.content == {
        "type": '"delay"',
        "payload": '{"seconds":2}',
        "priority": "0",
        "max_attempts": "3",
    }
    assert two.content["payload"] == "null"
