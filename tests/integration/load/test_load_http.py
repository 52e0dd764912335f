"""The HTTP client against raw servers that misbehave in every way that matters."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import UsageError
from capsize.core.http import Request
from capsize.load.connection import Limits
from capsize.load.http import NOT_SENT, HttpClient, encode

pytestmark = [
    pytest.mark.timeout(30),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]

GET = Request(method="GET", path="/x")
POST = Request(method="POST", path="/x", body=b'{"a":1}')
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LONG_S = 20.0


def answering(*answers: bytes):
    """Return a script that gives one answer to each request of a connection, the last one for ever."""

    async def script(peer):
        for number in range(1000):
            await peer.request()
            await peer.say(answers[min(number, len(answers) - 1)])

    return script


async def test_one_connection_serves_requests_one_after_the_other(scripted, clock):
    """A kept connection is used again, and the answer's parts are what the server said."""
    server = await scripted(
        answering(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi")
    )
    async with HttpClient.to(server.url, clock) as client:
        for _ in range(5):
            exchange = await client.send(POST, LONG_S)
            assert exchange.response is not None
            assert (exchange.response.status, exchange.response.body) == (201, b"hi")
            assert exchange.response.headers == {"x-a": "1, 2", "content-length": "2"}
            assert exchange.error is None
            assert 0 <= exchange.sent <= exchange.done
    assert len(server.peers) == 1
    assert (
        server.requests[0]
        == (
            f"POST /x HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\ncontent-type: application/json\r\n"
            'content-length: 7\r\n\r\n{"a":1}'
        ).encode()
    )


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n",
            b"abcde",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK, b"ok"),
    ],
    ids=["chunked", "length", "empty", "204", "304", "interim"],
)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
async def test_bodies_of_every_framing(scripted, clock, answer, body, bytewise):
    """Every way of framing gives the same body, however the bytes are cut, and the connection stays usable."""

    async def script(peer):
        while True:
            await peer.request()
            for piece in [answer[i : i + 1] for i in range(len(answer))] if bytewise else [answer]:
                await peer.say(piece)
                await asyncio.sleep(0)

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        for _ in range(2):
            exchange = await client.send(GET, LONG_S)
            assert exchange.error is None
            assert exchange.response is not None
            assert exchange.response.body == body
    assert len(server.peers) == 1


async def test_a_body_without_a_length_ends_with_the_connection(scripted, clock):
    """EOF ends such a body, and the connection is not used again."""

    async def script(peer):
        await peer.request()
        await peer.say(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await peer.say(b"def")
        peer.close()

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        for _ in range(2):
            exchange = await client.send(GET, LONG_S)
            assert exchange.response is not None
            assert exchange.response.body == b"abcdef"
    assert len(server.peers) == 2


async def test_the_answer_to_head_has_no_body(scripted, clock):
    """The stated length of an answer to HEAD is not waited for, and the connection stays usable."""
    server = await scripted(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", OK))
    async with HttpClient.to(server.url, clock) as client:
        head = await client.send(Request(method="HEAD", path="/"), LONG_S)
        assert head.response is not None
        assert (head.response.status, head.response.body) == (200, b"")
        get = await client.send(GET, LONG_S)
        assert get.response is not None
        assert get.response.body == b"ok"
    assert len(server.peers) == 1


async def test_a_refused_connection_certainly_had_no_effect(clock):
    """Refused means not reached."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        async with HttpClient("127.0.0.1", port, clock) as client:
            exchange = await client.send(POST, LONG_S)
    assert not exchange.reached
    assert exchange.response is None
    assert exchange.error is not None
    assert exchange.error.startswith("can't connect: ")


async def test_not_connected_in_time_certainly_had_no_effect(clock):
    """A listener whose backlog is full lets connecting hang; nothing was sent."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with HttpClient(*listener.getsockname(), clock) as client:
            exchange = await client.send(POST, 0.2)
    assert exchange.error == "timed out after 0.2 s while connecting"
    assert not exchange.reached
    assert exchange.done - exchange.sent >= 0.19


async def test_a_silent_server_leaves_the_request_in_doubt_and_its_connection_unused(scripted, clock):
    """After a time limit the outcome is unknown, and a late answer can't be taken for the next one's."""

    async def script(peer):
        await peer.request()
        if peer.number == 0:
            await peer.gone()
        else:
            await peer.say(OK)

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        lost = await client.send(POST, 0.2)
        assert lost.reached
        assert lost.error == "timed out after 0.2 s waiting for an answer"
        assert lost.done - lost.sent >= 0.19
        found = await client.send(POST, LONG_S)
        assert found.response is not None
    assert len(server.peers) == 2


async def test_the_time_limit_of_a_later_request_is_its_own(scripted, clock):
    """A quick exchange's long limit does not stretch the short limit of the next one, nor the reverse."""

    async def script(peer):
        await peer.request()
        await peer.say(OK)
        await peer.request()
        await peer.gone()

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        for first, second in ((LONG_S, 0.2), (0.05, 0.3)):
            assert (await client.send(GET, first)).response is not None
            lost = await client.send(GET, second)
            assert lost.error == f"timed out after {second:g} s waiting for an answer"
            assert second - 0.01 <= lost.done - lost.sent < LONG_S / 2


@pytest.mark.parametrize(
    ("said", "ending", "error"),
    [
        (b"", "close", "the connection was closed before an answer"),
        (b"", "reset", "the connection was reset before an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "close", "the connection was closed within the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "close", "the connection was closed within the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "reset", "the connection was reset within the answer"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", "close", "the connection was closed within the answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", "reset", "the connection was reset within the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "stall", "timed out after 0.3 s within the answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "stall", "the answer is not HTTP: "),
        (b"\x00\xff\x00garbage", "stall", "the answer is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "stall", "the answer is not HTTP: "),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "stall", "the answer switches protocols"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 9000, "stall", "the head of the answer is larger than 4096 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n" + b"a" * 9000, "stall", "the body of the answer is larger than 5000"),
    ],
)  # fmt: skip
async def test_an_answer_that_does_not_become_whole_is_in_doubt_and_never_repeated(
    scripted, clock, said, ending, error
):
    """The request may have had its effect: it is reported so, and the server saw it exactly once."""

    async def script(peer):
        await peer.request()
        await peer.say(said)
        if ending == "close":
            peer.close()
        elif ending == "reset":
            # The bytes before it must be read first: an RST discards what the receiver has not read yet.
            await asyncio.sleep(0.1)
            peer.reset()
        else:
            await peer.gone()

    server = await scripted(script)
    limits = Limits(head=4096, body=5000)
    async with HttpClient("127.0.0.1", server.port, clock, limits=limits) as client:
        exchange = await client.send(POST, 0.3 if error.startswith("timed") else LONG_S)
    assert exchange.response is None
    assert exchange.reached
    assert exchange.error is not None
    assert exchange.error.startswith(error)
    assert len(server.requests) == 1


async def test_a_connection_that_died_on_its_second_request_is_not_tried_again(scripted, clock):
    """A kept connection that ends without an answer leaves a doubt; a repeat could run the request twice."""

    async def script(peer):
        await peer.request()
        await peer.say(OK)
        await peer.request()
        peer.close()

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        assert (await client.send(POST, LONG_S)).response is not None
        second = await client.send(POST, LONG_S)
    assert second.error == "the connection was closed before an answer"
    assert second.reached
    assert len(server.requests) == 2


@pytest.mark.parametrize("how", ["close", "reset", "stray bytes"])
async def test_a_connection_that_ended_while_idle_is_noticed_before_it_is_used(clock, how):
    """Also when the event loop had no turn to notice it: a look at the socket comes before each write."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve():
            for number in range(2):
                peer, _ = listener.accept()
                peer.recv(65536)
                peer.sendall(OK)
                if number == 0:
                    assert answered.wait(LONG_S)
                    if how == "stray bytes":
                        peer.sendall(b"HTTP/1.1 408 Too late\r\ncontent-length: 0\r\n\r\n")
                    elif how == "reset":
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    if how != "stray bytes":
                        peer.close()
                    ended.set()
                kept.append(peer)

        answered, kept = threading.Event(), []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        async with HttpClient(*listener.getsockname(), clock) as client:
            assert (await client.send(POST, LONG_S)).response is not None
            answered.set()
            assert ended.wait(LONG_S)  # blocks the loop on purpose
            second = await client.send(POST, LONG_S)
        assert second.response is not None
        assert second.response.status == 200
        thread.join(LONG_S)
        for peer in kept:
            peer.close()


async def test_an_idle_connection_past_its_time_is_not_used_again(scripted, clock):
    """A server's own idle limit is not raced against."""
    server = await scripted(answering(OK))
    async with HttpClient("127.0.0.1", server.port, clock, idle_max_s=0.0) as client:
        await client.send(GET, LONG_S)
        while clock.now() == 0.0:
            pass
        await client.send(GET, LONG_S)
    assert len(server.peers) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 500 Surprise\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok and more",
    ],
    ids=["close", "1.0", "second answer", "trailing bytes"],
)
async def test_an_answer_that_ends_the_connection_stands(scripted, clock, answer):
    """The answer counts, and the next request goes out on a new connection."""
    server = await scripted(answering(answer))
    async with HttpClient.to(server.url, clock) as client:
        for _ in range(2):
            exchange = await client.send(GET, LONG_S)
            assert exchange.response is not None
            assert (exchange.response.status, exchange.response.body) == (200, b"ok")
    assert len(server.peers) == 2


async def test_a_large_request_arrives_whole(scripted, clock):
    """What the socket does not take at once follows."""
    server = await scripted(answering(OK))
    body = b"x" * 8_000_000
    async with HttpClient.to(server.url, clock) as client:
        exchange = await client.send(Request(method="POST", path="/", body=body), LONG_S)
    assert exchange.response is not None
    assert server.requests[0].endswith(b"\r\n\r\n" + body)


async def test_an_answer_before_the_request_was_out_ends_the_connection(scripted, clock):
    """The rest of the request would be in the way of the next one."""

    async def script(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        peer.writer.transport.pause_reading()
        await asyncio.sleep(LONG_S)

    server = await scripted(script)
    large = Request(method="POST", path="/", body=b"x" * 30_000_000)
    async with HttpClient.to(server.url, clock) as client:
        for _ in range(2):
            exchange = await client.send(large, LONG_S)
            assert exchange.response is not None
            assert exchange.response.status == 413
    assert len(server.peers) == 2


async def test_more_at_once_than_connections_is_refused_and_said(scripted, clock):
    """The limit on connections is a limit of capsize, and the error says so."""

    async def script(peer):
        await peer.request()
        await peer.gone()

    server = await scripted(script)
    async with HttpClient.to(server.url, clock, connections_max=2) as client:
        held = [asyncio.create_task(client.send(GET, LONG_S)) for _ in range(2)]
        await server.until(lambda: len(server.requests) == 2)
        third = await client.send(GET, LONG_S)
        assert not third.reached
        assert third.error == NOT_SENT + "2 requests in flight"
    # Closing ends what is under way, in doubt, and nothing goes out afterwards.
    assert [(await one).reached for one in held] == [True, True]
    assert clock.now() < LONG_S
    assert (await client.send(GET, LONG_S)).error == NOT_SENT + "the client is closed"


async def test_closing_while_connecting_sends_nothing(scripted, clock):
    """A connection that comes about after the client was closed is dropped unused."""

    async def script(peer):
        await peer.request()

    server = await scripted(script)
    client = HttpClient.to(server.url, clock)
    task = asyncio.create_task(client.send(POST, LONG_S))
    await asyncio.sleep(0)
    await client.close()
    exchange = await task
    assert not exchange.reached
    assert exchange.error == NOT_SENT + "the client is closed"
    assert server.requests == []


async def test_a_cancelled_request_takes_its_connection_along(scripted, clock):
    """Its answer, should it come, meets nobody."""

    async def script(peer):
        await peer.request()
        if peer.number == 0:
            await peer.gone()
            server.note(b"gone")
        else:
            await peer.say(OK)

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:
        task = asyncio.create_task(client.send(GET, LONG_S))
        await server.until(lambda: bool(server.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: b"gone" in server.requests)
        assert (await client.send(GET, LONG_S)).response is not None


async def test_many_at_once_each_get_their_own_answer(scripted, clock):
    """No answer reaches another request, over hundreds of requests on shared connections."""

    async def script(peer):
        while True:
            path = (await peer.request()).split()[1]
            await asyncio.sleep(0)
            await peer.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(path), path))

    server = await scripted(script)
    async with HttpClient.to(server.url, clock) as client:

        async def ask(name: int) -> None:
            for number in range(20):
                path = f"/{name}/{number}"
                exchange = await client.send(Request(method="GET", path=path), LONG_S)
                assert exchange.response is not None
                assert exchange.response.body == path.encode()

        await asyncio.gather(*(ask(name) for name in range(25)))
    assert len(server.peers) <= 25


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="GET", path="/a\r\nx: y"),
        Request(method="GET", path="/a b"),
        Request(method="GET", path="/", headers=(("a", "b\nc"),)),
    ],
)
def test_nothing_breaks_out_of_its_line(request_):
    """A line break in a path or header is a mistake of the caller, and raised as one."""
    with pytest.raises(ValueError, match="line break"):
        encode(request_, "h:1")


@pytest.mark.parametrize("url", ["ftp://h:1", "ftp://h", "http://h:1/base", "h:1", "http://"])
def test_addresses_that_can_not_be_driven(url):
    """TLS and a path below the host are not there, and that is said and not ignored."""
    with pytest.raises(UsageError):
        HttpClient.to(url, MonotonicClock())
