"""One keep-alive connection of the HTTP client: a bare protocol that carries one request at a time."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

from capsize.core.clock import Clock
from capsize.core.http import Exchange, Response

EARLY_S = 0.001
"""An event loop's timers count whole milliseconds: one that fires this much early is on time."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what one answer may take up, in bytes."""

    head: int = 64 * 1024
    body: int = 8 * 1024 * 1024


class Connection(asyncio.Protocol):
    """Carries requests over one socket, one after the other.

    ``exchange`` writes straight to the socket, not through the transport: the time of sending is then exact,
    and a refused write is known to have carried no byte. An ``encrypted`` connection has to write through its
    transport, and its socket may have something to say that is no answer, so it is not looked at. ``release`` is called when the connection is free
    for the next request, ``gone`` once when it will never be again.
    """

    # The answer under way.
    _status: int
    _headers: dict[str, str]
    _body: list[bytes]
    _head_bytes: int
    _body_bytes: int
    _any_byte: bool
    _head_done: bool
    _framed: bool
    _complete: bool
    _keep: bool
    _problem: str | None

    def __init__(
        self,
        sock: socket.socket,
        clock: Clock,
        limits: Limits,
        release: Callable[[Connection], None],
        gone: Callable[[Connection], None],
        *,
        encrypted: bool = False,
    ) -> None:
        self.idle_since = 0.0
        self._sock = sock
        self._clock = clock
        self._limits = limits
        self._release = release
        self._gone = gone
        self._encrypted = encrypted
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._waiter: asyncio.Future[Exchange] | None = None
        self._sent = self._deadline = self._timer_at = 0.0
        self._timeout_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._poll: select.poll | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = False
        self._clear()

    # ------------------------------------------------------------ for the pool

    def exchange(
        self, data: bytes, *, head_only: bool, deadline: float, timeout_s: float
    ) -> asyncio.Future[Exchange] | None:
        """Send a request and return its outcome to come; None when the connection proved dead unused.

        None is certain: no byte of the request left this process, so it may go out on another connection.
        """
        transport = self._transport
        if transport is None or self._closed or transport.is_closing() or self._readable():
            self.abort()
            return None
        sent = self._clock.now()
        try:
            written = 0 if self._encrypted else self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            written = 0
        except OSError:
            self.abort()
            return None
        if written < len(data):
            transport.write(data[written:])
        self._clear()
        self._sent, self._deadline, self._timeout_s = sent, deadline, timeout_s
        self._head_only = head_only
        self._arm(deadline)
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def abort(self) -> None:
        """Drop the connection at once; a request under way comes out as indeterminate."""
        self._finish(self._failure("the client gave the connection up before the answer"))
        self._drop()

    def _readable(self) -> bool:
        """Tell whether the idle socket has something to say: its end, a reset, or bytes nobody asked for.

        The loop may not have come round to telling us, and a request sent now would be lost in doubt.
        """
        return self._poll is not None and bool(self._poll.poll(0))

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        # A cast and no isinstance: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if hasattr(select, "poll") and not self._encrypted:
            self._poll = select.poll()
            self._poll.register(self._sock.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Feed the parser and settle the request when its answer is whole or can't become so."""
        if self._waiter is None:
            self._drop()
            return
        if not self._head_done:
            self._head_bytes += len(data)
        self._any_byte = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._problem = self._problem or "the answer switches protocols, which was not asked for"
        except httptools.HttpParserError as error:
            # Bytes behind a complete answer taint the connection, not the answer.
            if not self._complete:
                self._problem = self._problem or f"the answer is not HTTP: {error or type(error).__name__}"
            self._keep = False
        if not self._head_done and self._head_bytes > self._limits.head:
            self._problem = f"the head of the answer is larger than {self._limits.head} bytes"
        if self._complete and self._problem is None:
            self._answered()
        elif self._problem is not None:
            self._finish(self._failure(self._problem))
            self._drop()

    def eof_received(self) -> bool | None:
        """Take the end of the stream: the end of a body without a length, or a cut."""
        self._ended(None)
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what is still open; the socket is about to be closed."""
        self._ended(exc)

    # ------------------------------------------------------------ httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers of a chunked body are left out."""
        if self._head_done:
            return
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        if key == "content-length" or (key == "transfer-encoding" and "chunked" in text.lower()):
            self._framed = True
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Note the status; the answer to HEAD is complete here, whatever length it states."""
        if self._complete:
            return
        self._head_done = True
        self._status = self._parser.get_status_code()
        if self._head_only and self._status >= 200:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Gather the body up to its limit."""
        if self._complete:
            self._keep = False
        elif self._problem is None:
            self._body_bytes += len(body)
            if self._body_bytes > self._limits.body:
                self._problem = f"the body of the answer is larger than {self._limits.body} bytes"
            else:
                self._body.append(body)

    def on_message_begin(self) -> None:
        """Refuse a second answer behind the first: the answer stands, the connection goes."""
        if self._complete:
            self._keep = False

    def on_message_complete(self) -> None:
        """Pass over interim answers (1xx) and end with the final one."""
        if self._complete:
            return
        if 100 <= self._status < 200 and self._status != 101:
            self._clear()
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()

    # ------------------------------------------------------------ settling

    def _clear(self) -> None:
        """Forget the last answer."""
        self._status = 0
        self._headers = {}
        self._body = []
        self._head_bytes = self._body_bytes = 0
        self._any_byte = self._head_done = self._framed = self._complete = self._keep = False
        self._problem = None

    def _answered(self) -> None:
        """Hand the answer over, and the connection back when it may serve again."""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        response = Response(status=self._status, headers=self._headers, body=body)
        now = self._clock.now()
        self._finish(Exchange(sent=self._sent, done=now, response=response))
        transport = self._transport
        # An answer that came before the request was out leaves the rest of the request in the way.
        if not self._keep or transport is None or transport.get_write_buffer_size() > 0:
            self._drop()
        elif not self._closed:
            if self._head_only:
                # The parser still waits for the body that the head announced.
                self._parser = httptools.HttpResponseParser(self)
            self.idle_since = now
            self._release(self)

    def _ended(self, exc: Exception | None) -> None:
        if self._waiter is not None:
            if exc is None and self._head_done and not self._framed:
                self._complete, self._keep = True, False
                self._answered()
            else:
                how = "was reset" if exc is not None else "was closed"
                where = "within the answer" if self._any_byte else "before an answer"
                self._finish(self._failure(f"the connection {how} {where}"))
        self._drop()

    def _failure(self, error: str) -> Exchange:
        return Exchange(sent=self._sent, done=self._clock.now(), error=error)

    def _finish(self, exchange: Exchange) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(exchange)

    def _drop(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        self._gone(self)

    # ------------------------------------------------------------ time limit

    def _arm(self, deadline: float) -> None:
        """See that a timer fires at the deadline or before it.

        A timer of an earlier request that fires first looks at the clock and sets itself anew, so that a
        quick exchange costs no timer at all.
        """
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - self._clock.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._clock.now() < self._deadline - EARLY_S:
            self._arm(self._deadline)
            return
        where = "within the answer" if self._any_byte else "waiting for an answer"
        self._finish(self._failure(f"timed out after {self._timeout_s:g} s {where}"))
        self._drop()
