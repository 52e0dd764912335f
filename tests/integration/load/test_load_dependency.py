"""The outside service that capsize plays, over real sockets: every mode, its record, and who uses it."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from capsize.core.errors import NotSupported
from capsize.core.events import Called, DependencyChanged, DependencyMode, Event, Noted, Sample
from capsize.core.http import Exchange, Request
from capsize.core.platform import Dependable
from capsize.faults.dependency import Dependency as Fault
from capsize.load.dependency import NAME, Dependency
from capsize.load.http import HttpClient
from capsize.load.tasks import Tasks
from capsize.probes.breaker import BreakerProbe

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]

LONG_S = 20.0


async def call(dependency: Dependency, clock, key: str = "k1", limit_s: float = LONG_S) -> Exchange:
    """Call it as a task does, on a connection of its own."""
    url, _, path = dependency.url_for(key).partition("/calls/")
    async with HttpClient.to(url, clock) as client:
        return await client.send(Request(method="POST", path=f"/calls/{path}"), limit_s)


def called(events: list[Event]) -> list[tuple[str, str, int | None]]:
    """Return what was recorded of the calls."""
    return [(event.key, event.mode, event.status) for event in events if isinstance(event, Called)]


@pytest.mark.parametrize(("mode", "status"), [("ok", 200), ("fail", 500), ("slow", 200)])
async def test_a_call_is_answered_as_the_mode_says_and_recorded(clock, mode: DependencyMode, status: int):
    """The status, the key of the task that calls, and the time of arrival; slow answers take their time."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        await dependency.become(mode, slow_s=0.3)
        exchange = await call(dependency, clock)
    assert exchange.response is not None, exchange.error
    assert exchange.response.status == status
    assert called(events) == [("k1", mode, status)]
    (arrived,) = [event.t for event in events if isinstance(event, Called)]
    assert exchange.sent <= arrived <= exchange.done
    if mode == "slow":
        assert exchange.done - arrived >= 0.29


async def test_a_call_that_hangs_is_never_answered_also_not_after_the_healing(clock):
    """It is recorded when it arrives; the caller gives up by itself, and the next one is answered."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        await dependency.become("hang")
        waiting = asyncio.create_task(call(dependency, clock, limit_s=1.0))
        while not called(events):  # noqa: ASYNC110 - the record is a plain list
            await asyncio.sleep(0.01)
        await dependency.become("ok")
        exchange = await waiting
        assert (exchange.response, exchange.reached) == (None, True)
        good = await call(dependency, clock, "k2")
    assert good.response is not None
    assert called(events) == [("k1", "hang", None), ("k2", "ok", 200)]


async def test_garbage_is_no_answer(clock):
    """Bytes that are no HTTP, and the end of the connection, at once."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        await dependency.become("garbage")
        exchange = await call(dependency, clock)
    assert exchange.response is None
    assert exchange.done - exchange.sent < LONG_S / 2
    assert called(events) == [("k1", "garbage", None)]


async def test_refused_connections_reach_nobody_and_the_port_is_kept(clock):
    """Nobody listens, three times over; the same address answers again afterwards."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        url = dependency.url_for("k1")
        for _ in range(3):
            await dependency.become("refuse")
            exchange = await call(dependency, clock)
            assert (exchange.response, exchange.reached) == (None, False)
            await dependency.become("ok")
            good = await call(dependency, clock)
            assert good.response is not None, good.error
        assert dependency.url_for("k1") == url
    assert called(events) == [("k1", "ok", 200)] * 3
    changes = [event.mode for event in events if isinstance(event, DependencyChanged)]
    assert changes == ["refuse", "ok"] * 3


async def test_the_fault_breaks_it_and_heals_it_twice(clock):
    """Its victim is the one instance that it is; healing twice is as good as once, and changes nothing more."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        assert isinstance(dependency, Dependable)
        assert [one.name for one in dependency.instances(NAME)] == [NAME]
        assert dependency.instances("worker") == ()
        fault = Fault(mode="fail")
        await fault.strike(dependency, (NAME,))
        assert dependency.mode == "fail"
        await fault.heal(dependency, (NAME,))
        await fault.heal(dependency, (NAME,))
        assert dependency.mode == "ok"
    assert [event.mode for event in events if isinstance(event, DependencyChanged)] == ["fail", "ok"]


async def test_other_paths_are_no_calls(clock):
    """Whatever else comes by is told off and not recorded."""
    events: list[Event] = []
    async with Dependency(events.append, clock) as dependency:
        url = dependency.url_for("").removesuffix("/calls/")
        async with HttpClient.to(url, clock) as client:
            exchange = await client.send(Request(method="GET", path="/"), LONG_S)
    assert exchange.response is not None
    assert exchange.response.status == 404
    assert events == []


# ---------------------------------------------------------------- the load and the probe


async def accept(peer):
    """Accept every task."""
    while True:
        await peer.request()
        await peer.say(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nT1")


async def test_the_load_orders_calls_with_a_key_for_each_task(scripted, stage_at, clock):
    """Each task is told an address that names its own submission; another kind needs no outside service."""
    server = await scripted(accept)
    stage = stage_at(server.url)
    async with Dependency(stage.record, clock) as dependency:
        stage.dependency = dependency
        await Tasks(kind="call", count=2, rate=100.0, label="calls", call_timeout_s=0.5).run(stage)
    await Tasks(kind="unknown", count=1, label="unknown").run(stage)
    *calls, unknown = [request.partition(b"\r\n\r\n") for request in server.requests]
    for head, _, body in calls:
        payload = msgspec.json.decode(body)
        key = payload["url"].rpartition("/")[2]
        assert f"idempotency-key: {key}".encode() in head.lower()
        assert payload["timeout_s"] == 0.5
    assert len({body for _, _, body in calls}) == 2
    assert unknown[2] == b"{}"


async def test_the_load_says_what_it_lacks(scripted, stage_at):
    """A system without such tasks is named before the run; without an outside service the load breaks."""
    stage = stage_at("http://127.0.0.1:9")
    stage.system.call_order = lambda url, key, *, timeout_s: None
    assert Tasks(kind="call").lacks(stage.system) == "task type that calls a URL"
    assert Tasks(kind="unknown").lacks(stage.system) is None
    assert Tasks().lacks(stage.system) is None
    with pytest.raises(ExceptionGroup) as caught:
        await Tasks(kind="call", count=1).run(stage_at("http://127.0.0.1:9"))
    assert caught.group_contains(NotSupported)


async def test_the_breaker_probe_tells_each_kind_of_task(scripted, stage_at, running):
    """States by kind; a type that is not listed is closed; a look that failed has an error and no values."""

    async def script(peer):
        await peer.request()
        body = b'{"webhook": "open", "other": "half_open"}'
        await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await peer.request()
        await peer.say(b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n")

    server = await scripted(script)
    stage = stage_at(server.url)
    async with running(BreakerProbe(interval_s=0.05).run(stage)):
        await stage.until(lambda events: len(events) >= 2)
    first, second = [event for event in stage.events if isinstance(event, Sample)][:2]
    assert first.values == {"delay": "closed", "call": "open", "unknown": "closed"}
    assert (first.probe, first.error) == ("breaker", None)
    assert second.values == {}
    assert "503" in (second.error or "")


async def test_a_system_that_shows_no_circuits_leaves_a_note(stage_at):
    """The probe ends by itself, and the claim has no evidence."""
    stage = stage_at("http://127.0.0.1:9")
    stage.system.breakers = lambda auth: None
    began = time.monotonic()
    await BreakerProbe().run(stage)
    assert time.monotonic() - began < LONG_S
    assert [type(event) for event in stage.events] == [Noted]
