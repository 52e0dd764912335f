"""The HTTP server half of the witness: a bare protocol that parses requests and writes short answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httptools

BODY_MAX = 1024 * 1024
HEAD_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Odd:
    """An answer out of the ordinary: these bytes, so much later, and the end; None: never any."""

    data: bytes | None
    after_s: float = 0.0


Answer = Callable[[str, str, bytes], tuple[int, str] | Odd]
"""From method, path and body to status and text; runs in the event loop, so it must be quick."""


class Receiver(asyncio.Protocol):
    """One connection of a client; requests, also pipelined ones, are answered in their order."""

    # The request under way.
    _url: bytes
    _body: list[bytes]
    _size: int
    _head_bytes: int
    _headed: bool

    def __init__(self, answer: Answer, connections: set[Receiver]) -> None:
        self._answer = answer
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._out: list[bytes] = []
        self._over = False
        self._odd = False
        self._begin()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        # A cast and no isinstance: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._connections.discard(self)

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its answers."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on when it does."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete now."""
        if self._over or self._odd or self._transport is None:
            return
        if not self._headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.BAD_REQUEST, "no protocol to upgrade to")
        except httptools.HttpParserError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"not HTTP: {error}")
        if not self._headed and self._head_bytes > HEAD_MAX:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head is over {HEAD_MAX} bytes")
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()
        if self._over:
            self._transport.close()

    # ------------------------------------------------------------ httptools

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """Gather the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Let a client go on that asks first (curl does for larger bodies)."""
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._out.append(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        """Note that the head is over."""
        self._headed = True

    def on_body(self, body: bytes) -> None:
        """Gather the body up to its limit."""
        self._size += len(body)
        if self._size <= BODY_MAX:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer."""
        if self._over or self._odd:
            return
        if self._size > BODY_MAX:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {BODY_MAX} bytes")
            return
        method = self._parser.get_method().decode("latin-1")
        path = self._url.partition(b"?")[0].decode("latin-1")
        answer = self._answer(method, path, b"".join(self._body))
        if isinstance(answer, Odd):
            # Nothing else is said on this connection, and nothing more is read from it.
            self._odd = True
            if answer.data is not None:
                asyncio.get_running_loop().call_later(answer.after_s, self._end_with, answer.data)
            return
        status, text = answer
        self._over = not self._parser.should_keep_alive()
        self._out.append(response(status, text, close=self._over, bodiless=method == "HEAD"))
        self._head_bytes, self._headed = 0, False

    # ------------------------------------------------------------

    def _begin(self) -> None:
        self._url = b""
        self._body = []
        self._size = self._head_bytes = 0
        self._headed = False

    def _end_with(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            self._transport.close()

    def _refuse(self, status: int, text: str) -> None:
        if not self._over:
            self._over = True
            self._out.append(response(status, text, close=True))


_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def response(status: int, text: str, *, close: bool, bodiless: bool = False) -> bytes:
    """Return an HTTP answer with a text."""
    if status == HTTPStatus.NO_CONTENT and not close:
        return _NO_CONTENT
    body = text.encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    if status != HTTPStatus.NO_CONTENT:
        head += f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
    if close:
        head += "connection: close\r\n"
    return head.encode("latin-1") + b"\r\n" + (b"" if bodiless else body)
