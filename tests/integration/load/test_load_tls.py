"""Over TLS the client says the same of a request as without it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from capsize.core.clock import MonotonicClock
from capsize.core.http import Request
from capsize.load.http import HttpClient

pytestmark = pytest.mark.filterwarnings(
    "ignore:Overriding the .event_loop_policy.:pytest.PytestDeprecationWarning"
)
LIMIT_S = 30.0
PING = Request(method="GET", path="/ping")


@pytest.fixture
def authority() -> trustme.CA:
    """Return a certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture
async def port(authority: trustme.CA) -> AsyncIterator[int]:
    """Serve 204 to everything over TLS, two requests to a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_requests_are_answered_and_connections_kept(authority: trustme.CA, port: int) -> None:
    """Four requests over connections that serve two each are all answered."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with HttpClient("localhost", port, MonotonicClock(), tls=trusting) as client:
        for _ in range(4):
            exchange = await client.send(PING, LIMIT_S)
            assert exchange.response is not None, exchange.error
            assert exchange.response.status == 204


async def test_an_unknown_certificate_is_refused_before_anything_is_sent(port: int) -> None:
    """A server that can't prove who it is gets no byte of the request, and the error says why."""
    async with HttpClient("localhost", port, MonotonicClock(), tls=ssl.create_default_context()) as client:
        exchange = await client.send(PING, LIMIT_S)
    assert not exchange.reached
    assert exchange.error is not None
    assert "certificate" in exchange.error.lower()
