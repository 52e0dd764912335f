"""The witness over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re

import pytest

from capsize.core.events import Event, Noted, Witnessed
from capsize.core.http import Exchange, Request
from capsize.load.http import HttpClient
from capsize.load.receiver import BODY_MAX, HEAD_MAX
from capsize.load.witness import COMPLAINTS_MAX, Witness

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]

LONG_S = 20.0
GOOD = {"task": "t1", "event": "started", "attempt": 1, "worker": "worker-1"}


def announcing(body: object) -> Request:
    """Return the request that announces a value; bytes go as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(method="POST", path="/events", body=raw)


def status(exchange: Exchange) -> int:
    assert exchange.response is not None, exchange.error
    return exchange.response.status


async def test_an_announcement_is_recorded_with_the_time_of_its_arrival(clock):
    """204, and one Witnessed that lies between sending and the answer; unknown fields are passed over."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        exchange = await client.send(announcing(GOOD | {"extra": 1}), LONG_S)
        assert status(exchange) == 204
    (event,) = events
    assert event == Witnessed(t=event.t, task="t1", event="started", attempt=1, worker="worker-1")
    assert exchange.sent <= event.t <= exchange.done


async def test_a_list_is_recorded_in_its_order_all_or_none(clock):
    """One bad announcement in a list refuses all of it."""
    events: list[Event] = []
    batch = [GOOD | {"event": "finished"}, GOOD | {"event": "recorded"}]
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        assert status(await client.send(announcing(batch), LONG_S)) == 204
        assert status(await client.send(announcing([GOOD, {}]), LONG_S)) == 400
        assert (witness.accepted, witness.refused) == (2, 1)
    assert [event.event for event in events if isinstance(event, Witnessed)] == ["finished", "recorded"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"task":"\xff"}', "UTF"),
        (b'"started"', "Expected"),
        ({**GOOD, "event": "begun"}, "Invalid enum value 'begun'"),
        ({**GOOD, "attempt": 0}, ">= 1"),
        ({**GOOD, "attempt": "1"}, "Expected `int | null`"),
        ({**GOOD, "task": ""}, "length >= 1"),
        ({**GOOD, "worker": "w" * 300}, "length <= 256"),
        ({"task": "t1"}, "missing required field"),
    ],
)
async def test_a_bad_body_is_refused_with_the_reason_and_noted(clock, body, text):
    """400 says what is wrong, so does the note; nothing is recorded, and the connection goes on."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        answer = await client.send(announcing(body), LONG_S)
        assert status(answer) == 400
        assert answer.response is not None
        assert text.lower() in answer.response.body.decode().lower()
        assert status(await client.send(announcing(GOOD), LONG_S)) == 204
    note, witnessed = events
    assert isinstance(note, Noted)
    assert text.lower() in note.message.lower()
    assert isinstance(witnessed, Witnessed)


async def test_a_flood_of_bad_bodies_does_not_fill_the_history(clock):
    """The notes are bounded, and the last of them says so."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        for _ in range(COMPLAINTS_MAX + 10):
            assert status(await client.send(announcing(b"x" * 5000), LONG_S)) == 400
        assert witness.refused == COMPLAINTS_MAX + 10
    notes = [event for event in events if isinstance(event, Noted)]
    assert len(events) == len(notes) == COMPLAINTS_MAX
    assert notes[-1].message.endswith("refused without a note")
    assert all(len(note.message) < 500 for note in notes)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/health?x=1", 200),
        ("GET", "/events", 405),
        ("POST", "/health", 404),
        ("GET", "/", 404),
    ],
)
async def test_other_requests(clock, method, path, expected):
    """Health answers, everything else is refused with the right status, and nothing is recorded."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        for _ in range(2):
            assert status(await client.send(Request(method=method, path=path), LONG_S)) == expected
    assert events == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"POST /events HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (BODY_MAX + 1) + b"x" * (BODY_MAX + 1), [b"413"]),
        (b"GET /health HTTP/1.1\r\nx: " + b"y" * (HEAD_MAX * 6), [b"431"]),
        (b"nonsense\r\n\r\n", [b"400"]),
        (b"GET /health HTTP/1.0\r\n\r\n", [b"200"]),
        (b"GET /health HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\nGET /health HTTP/1.1\r\nconnection: close\r\n\r\n", [b"200", b"404", b"200"]),
        (b"POST /events HTTP/1.1\r\nExpect: 100-continue\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]", [b"100", b"204"]),
        (b"POST /events HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n", [b"204"]),
    ],
    ids=["body too large", "head too large", "garbage", "1.0", "pipelined", "expect", "chunked"],
)  # fmt: skip
async def test_raw_requests_are_answered_in_order_and_the_connection_is_closed(clock, raw, expected):
    """What a client sends wrongly or unusually gets its answer, and then the end."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness:
        port = int(witness.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        answers = b""
        try:
            while data := await asyncio.wait_for(reader.read(65536), LONG_S):
                answers += data
        except ConnectionError:
            # The rest of a request that was refused meets a closed socket.
            pass
        writer.close()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == expected
    assert events == []


async def test_nothing_is_lost_under_load(clock):
    """Forty clients with 100 announcements each at once: every one is recorded, in each client's order."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:

        async def worker(number: int) -> None:
            for attempt in range(1, 101):
                body = GOOD | {"worker": f"w{number}", "attempt": attempt}
                assert status(await client.send(announcing(body), LONG_S)) == 204

        await asyncio.gather(*(worker(number) for number in range(40)))
    seen: dict[str, list[int]] = {}
    for event in events:
        assert isinstance(event, Witnessed)
        seen.setdefault(event.worker, []).append(event.attempt)
    assert seen == {f"w{number}": list(range(1, 101)) for number in range(40)}
    assert [event.t for event in events] == sorted(event.t for event in events)


async def test_leaving_ends_connections_that_are_open(clock):
    """A worker that keeps its connection open can't hold the run up, and the port is closed afterwards."""
    async with Witness(lambda event: None, clock) as witness:
        port = int(witness.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), LONG_S) == b""
    writer.close()
    with pytest.raises(OSError):  # noqa: PT011  # refused, in the words of the loop
        await asyncio.open_connection("127.0.0.1", port)


async def test_an_announcement_that_is_sent_again_is_heard_once(clock):
    """The same id twice is one event; without an id, or with another one, each is an event of its own."""
    events: list[Event] = []
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        for name in ("x", "x", "y", "", ""):
            assert status(await client.send(announcing(GOOD | {"id": name}), LONG_S)) == 204
    assert len(events) == 4


async def test_runs_that_their_worker_does_not_number_are_numbered(clock):
    """Without an attempt each start is a further run of its task, and the rest belongs to its worker's last one."""
    events: list[Event] = []
    said = [("a", "started"), ("b", "started"), ("a", "finished"), ("a", "started"), ("a", "recorded")]
    batch = [{"task": "t1", "event": event, "worker": worker} for worker, event in said]
    async with Witness(events.append, clock) as witness, HttpClient.to(witness.url, clock) as client:
        assert status(await client.send(announcing(batch), LONG_S)) == 204
    assert [event.attempt for event in events if isinstance(event, Witnessed)] == [1, 2, 1, 3, 3]
