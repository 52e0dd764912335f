"""A small HTTP server: requests of a connection are answered one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httptools

BODY_BYTES_MAX = 4 * 1024 * 1024
HEAD_BYTES_MAX = 64 * 1024
PIPELINED_MAX = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Header names are lower case, the path has no query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    content_type: str = ""


Answer = Callable[[Asked], Awaitable[Reply]]


class HttpConnection(asyncio.Protocol):
    """One connection of a client of the control API."""

    def __init__(self, answer: Answer, connections: set[HttpConnection]) -> None:
        self._answer, self._connections = answer, connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Asked] = deque()
        self._work: asyncio.Task[None] | None = None
        self._refused: Reply | None = None
        self._clear()

    def abort(self) -> None:
        """Close at once."""
        if self._work is not None:
            self._work.cancel()
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        # A cast and no isinstance: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection; a request under way is carried out to its end."""
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Gather requests."""
        if self._refused is not None or self._transport is None:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
            self._refuse(400, f"not HTTP: {error}")
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(431, "the head is too large")
        if len(self._queue) > PIPELINED_MAX:
            self._transport.pause_reading()
        if self._work is None and (self._queue or self._refused is not None):
            self._work = asyncio.get_running_loop().create_task(self._serve())

    # ------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._clear()

    def on_url(self, url: bytes) -> None:
        """Gather the target."""
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header; let a client go on that asks first."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._head_bytes += len(name) + len(value)
        if name.lower() == b"expect" and value.lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Gather the body up to its limit."""
        if len(self._body) + len(body) > BODY_BYTES_MAX:
            self._refuse(413, "the body is too large")
        elif self._refused is None:
            self._body += body

    def on_message_complete(self) -> None:
        """Queue the request."""
        if self._refused is None:
            self._queue.append(
                Asked(
                    self._parser.get_method().decode("latin-1"),
                    self._url.partition(b"?")[0].decode("latin-1"),
                    self._headers,
                    bytes(self._body),
                    self._parser.should_keep_alive(),
                )
            )

    # ------------------------------------------------------------

    def _clear(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._head_bytes = 0

    def _refuse(self, status: int, text: str) -> None:
        if self._refused is None:
            self._refused = Reply(status, f"{text}\n".encode(), "text/plain; charset=utf-8")

    async def _serve(self) -> None:
        try:
            while self._queue:
                asked = self._queue.popleft()
                reply = await self._answer(asked)
                self._write(reply, close=not asked.keep_alive)
                if not asked.keep_alive:
                    return
            if self._refused is not None:
                self._write(self._refused, close=True)
        finally:
            self._work = None
            transport = self._transport
            if transport is not None and not transport.is_closing() and self._refused is None:
                transport.resume_reading()

    def _write(self, reply: Reply, *, close: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        if reply.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(reply.body)}")
        if reply.content_type:
            lines.append(f"Content-Type: {reply.content_type}")
        if close:
            lines.append("Connection: close")
        transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + reply.body)
        if close:
            transport.close()
