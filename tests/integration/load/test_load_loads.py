"""The loads against small services whose answers a test scripts."""

from __future__ import annotations

import asyncio
import re

import pytest

from capsize.core.errors import UsageError
from capsize.core.events import Op
from capsize.core.experiment import Spec
from capsize.core.registry import make
from capsize.load import LOADS
from capsize.load.api import Api
from capsize.load.catalogue import Catalogue
from capsize.load.http import NOT_SENT
from capsize.load.tasks import Tasks

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]


def answer(status: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


def key_of(request: bytes) -> str:
    found = re.search(rb"idempotency-key: (\S+)\r\n", request)
    assert found is not None
    return found[1].decode()


async def accept(peer) -> None:
    """Acknowledge each submission with an id made of its key."""
    while True:
        await peer.say(answer(201, "id-" + key_of(await peer.request())))


async def silence(peer) -> None:
    """Take requests and answer none."""
    await peer.request()
    await peer.gone()


async def test_each_task_is_acknowledged_with_its_own_key(scripted, stage_at):
    """As many submissions as asked for, each with a key of its own, in the Op as it was sent."""
    server = await scripted(accept)
    stage = stage_at(server.url)
    await Tasks(count=25, seconds=0.5, rate=1000.0).run(stage)
    assert len(stage.events) == 25
    assert len({op.key for op in stage.events}) == 25
    for op in stage.events:
        assert isinstance(op, Op)
        assert (op.call, op.client, op.outcome, op.status) == ("submit", "tasks", "ok", 201)
        assert op.task == f"id-{op.key}"
        assert op.planned <= op.sent <= op.t
        assert op.error is None
    assert all(b'{"seconds":0.5}' in request for request in server.requests)
    assert all(b"authorization: Bearer x" in request for request in server.requests)


async def test_a_load_may_begin_later_than_its_phase(scripted, stage_at):
    """Every task is due at its place after the pause."""
    server = await scripted(accept)
    stage = stage_at(server.url)
    began = stage.clock.now()
    await Tasks(count=3, rate=100.0, after_s=0.2).run(stage)
    planned = sorted(op.planned - began for op in stage.events)
    assert planned[0] >= 0.2
    assert planned[2] - planned[0] == pytest.approx(0.02)


async def test_the_keys_come_from_the_seed_and_the_label(scripted, stage_at):
    """The same seed gives the same keys; another seed or label gives others."""
    server = await scripted(accept)
    keys = []
    for seed, label in ((1, "a"), (1, "a"), (2, "a"), (1, "b")):
        stage = stage_at(server.url)
        stage.seed = seed
        await Tasks(count=3, rate=1000.0, label=label).run(stage)
        keys.append({op.key for op in stage.events})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    assert not keys[0] & keys[3]


async def test_a_submission_is_repeated_with_its_key_until_it_is_acknowledged(scripted, stage_at):
    """Refused, in doubt, cut off, and at last accepted: four tries, one key, one Op each."""

    async def script(peer):
        while True:
            key = key_of(await peer.request())
            tries = len(server.requests)
            if tries == 3:
                peer.reset()
                return
            await peer.say(answer({1: 503, 2: 500}.get(tries, 201), f"id-{key}"))

    server = await scripted(script)
    stage = stage_at(server.url)
    await Tasks(count=1, backoff_s=(0.01, 0.05)).run(stage)
    assert [(op.outcome, op.status) for op in stage.events] == [
        ("fail", 503),
        ("info", 500),
        ("info", None),
        ("ok", 201),
    ]
    assert len({op.key for op in stage.events}) == 1
    assert [op.task for op in stage.events] == [None, None, None, f"id-{stage.events[0].key}"]
    assert stage.events[0].error.startswith("answered 503: id-")
    assert "reset" in stage.events[2].error
    # Each try has a planned time of its own, after the end of the one before.
    assert all(
        later.planned >= earlier.t for earlier, later in zip(stage.events, stage.events[1:], strict=False)
    )


async def test_a_service_that_is_away_is_tried_until_it_is_back(scripted, stage_at, running):
    """Refused connections are certain failures; the task is acknowledged once the service listens."""
    server = await scripted(accept)
    url, port = server.url, server.port
    await server.stop()
    stage = stage_at(url)
    async with running(Tasks(count=1, backoff_s=(0.01, 0.05)).run(stage)) as task:
        await stage.until(lambda events: len(events) >= 3)
        assert {op.outcome for op in stage.events} == {"fail"}
        back = await asyncio.start_server(server._accepted, "127.0.0.1", port)
        await task
        back.close()
    assert stage.events[-1].outcome == "ok"


async def test_a_stalled_service_does_not_slow_the_submissions(scripted, stage_at, running):
    """Thirty are out although none was answered; when cancelled, each is recorded as in doubt."""
    server = await scripted(silence)
    stage = stage_at(server.url)
    async with running(Tasks(count=30, rate=500.0).run(stage)):
        await server.until(lambda: len(server.requests) == 30)
        assert stage.events == []
    assert [op.outcome for op in stage.events] == ["info"] * 30
    assert len({op.key for op in stage.events}) == 30
    assert all("given up" in op.error for op in stage.events)


async def test_without_a_count_it_goes_on_until_cancelled(scripted, stage_at, running):
    """A continuous load ends with its cancellation only."""
    server = await scripted(accept)
    stage = stage_at(server.url)
    async with running(Tasks(rate=500.0).run(stage)) as task:
        await stage.until(lambda events: len(events) >= 50)
        assert not task.done()


async def test_the_api_load_judges_by_the_expected_statuses(scripted, stage_at, running):
    """Expected statuses are ok, also 404 where it is expected; others are not, and a 500 to a POST is in doubt."""

    async def script(peer):
        while True:
            path = (await peer.request()).split()[1]
            await peer.say(answer({b"/list": 503, b"/add": 500, b"/absent": 404}[path], "why"))

    server = await scripted(script)
    stage = stage_at(server.url)
    async with running(Api(rate=500.0).run(stage)):
        await stage.until(lambda events: len({op.call for op in events}) == 3)
    seen = {(op.call, op.outcome, op.status, op.error) for op in stage.events if op.status is not None}
    assert seen == {
        ("api:list", "fail", 503, "answered 503: why"),
        ("api:add", "info", 500, "answered 500: why"),
        ("api:absent", "ok", 404, None),
    }
    assert {op.client for op in stage.events} == {"api"}


@pytest.mark.parametrize("poisson", [False, True])
async def test_the_api_load_goes_on_while_nothing_is_answered(scripted, stage_at, running, poisson):
    """Up to its limit it sends; over it, each call that was due is recorded as not sent, by the load."""
    server = await scripted(silence)
    stage = stage_at(server.url)
    async with running(Api(rate=500.0, in_flight_max=20, poisson=poisson).run(stage)):
        await stage.until(lambda events: len(events) >= 30)
        await server.until(lambda: len(server.requests) == 20)
        held_back = list(stage.events)
    assert {(op.outcome, op.error) for op in held_back} == {("fail", NOT_SENT + "20 requests in flight")}
    assert sum(op.outcome == "info" for op in stage.events) == 20


async def test_the_catalogue_makes_each_call_in_order(scripted, stage_at):
    """Every call once per round, one after the other."""

    async def script(peer):
        while True:
            path = (await peer.request()).split()[1]
            await peer.say(answer({b"/list": 200, b"/add": 409, b"/absent": 200}[path]))

    server = await scripted(script)
    stage = stage_at(server.url)
    await Catalogue(rounds=2).run(stage)
    assert [(op.call, op.outcome) for op in stage.events] == [
        ("api:list", "ok"),
        ("api:add", "ok"),
        ("api:absent", "fail"),
    ] * 2
    assert all(
        later.sent >= earlier.t for earlier, later in zip(stage.events, stage.events[1:], strict=False)
    )


@pytest.mark.parametrize(
    ("name", "args"),
    [("tasks", {"count": -1}), ("tasks", {"rate": 0}), ("api", {"rate": -1.0}), ("catalogue", {"rounds": 0})],
)
def test_arguments_that_make_no_sense_are_refused(name, args):
    """A load that could never send is a usage error, found before the start."""
    with pytest.raises(UsageError):
        make(LOADS, Spec(name=name, args=args), "load")


def test_every_load_is_made_by_its_name():
    """The registry's keys are the names."""
    for name in LOADS:
        assert make(LOADS, Spec(name=name), "load").name == name
