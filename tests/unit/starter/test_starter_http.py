"""The small HTTP client, against real sockets that answer byte for byte what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from capsize_starter.handlers.http import BODY_MAX, HttpClient, HttpError

LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request on a connection with the next of `answers`; None closes it instead."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if self.answers else b""
                if answer is None:
                    break
                writer.write(answer)
                if b"close" in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (LENGTH, 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", 200, b"ok!"),
        (b"HTTP/1.1 500 Oops\r\nconnection: close\r\n\r\nto the end", 500, b"to the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, 200, b"ok"),
    ],
)
async def test_each_way_to_end_a_body_is_understood(
    server: tuple[Server, str], answer: bytes, status: int, body: bytes
) -> None:
    """By length, without a body, in chunks, by closing, and after an interim answer."""
    there, url = server
    there.answers = [answer]
    got = await HttpClient(keep_alive=False).request("GET", url, timeout_s=20)
    assert (got.status, got.body) == (status, body)


async def test_the_request_says_what_was_asked(server: tuple[Server, str]) -> None:
    """Method, target with its query, host, headers and body arrive."""
    there, url = server
    there.answers = [LENGTH]
    await HttpClient(keep_alive=False).request(
        "PUT", f"{url}/a?b=c", body=b"body", headers={"x": "y"}, timeout_s=20
    )
    [request] = there.requests
    assert request.startswith(b"PUT /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nx: y\r\n" in request
    assert request.endswith(b"\r\n\r\nbody")


async def test_connections_are_kept_and_a_closed_one_is_replaced(server: tuple[Server, str]) -> None:
    """Three calls use one connection; after the other side closed it, the next call opens a second."""
    there, url = server
    client = HttpClient(keep_alive=True)
    there.answers = [LENGTH] * 3 + [LENGTH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), LENGTH]
    for expected in (1, 1, 1, 1, 2):
        await client.request("POST", url, timeout_s=20)
        assert there.connections == expected
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [None, b"HTTP/1.1 200 OK\r\ncontent-le", b"\x00\x01 what is this\r\n\r\n",
     b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"x" * (BODY_MAX + 1)],
)  # fmt: skip
async def test_what_is_no_answer_is_an_error(server: tuple[Server, str], answer: bytes | None) -> None:
    """A closed connection, half an answer, something else than HTTP, and a flood all end as HttpError."""
    there, url = server
    there.answers = [answer]
    with pytest.raises(HttpError):
        await HttpClient(keep_alive=False).request("GET", url, timeout_s=1)


async def test_a_silent_server_is_given_up(
    server: tuple[Server, str], unused_tcp_port_factory: Callable[[], int]
) -> None:
    """The limit covers everything; a refused connection is an HttpError too."""
    _, url = server
    with pytest.raises(HttpError, match="no answer within"):
        await HttpClient(keep_alive=False).request("GET", url, timeout_s=0.05)
    with pytest.raises(HttpError):
        await HttpClient(keep_alive=False).request(
            "GET", f"http://127.0.0.1:{unused_tcp_port_factory()}", timeout_s=20
        )
