"""One client's connection and the upstream connection made for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from capsize.proxy.flow import Flow
from capsize.proxy.postgres.session import Session
from capsize.proxy.postgres.startup import NOT_POSTGRES, plausible
from capsize.proxy.side import Side, discard

if TYPE_CHECKING:
    from capsize.proxy.proxy import Proxy

EARLY_BYTES_MAX = 64 * 1024
CLOSE_LIMIT_S = 60.0
TLS_HANDSHAKE = b"\x16"
log = logging.getLogger("capsize.proxy")


class Link:
    """Two sides, two flows and, when the client speaks PostgreSQL, a session that follows it.

    ``number`` counts the connections of a proxy from 0; draws are made by it, so a seed repeats them.
    The link itself is the first scanner: it looks at the client's first bytes and steps aside.
    """

    __slots__ = (
        "_closing",
        "_early",
        "_over",
        "_started",
        "_task",
        "client",
        "down",
        "loop",
        "number",
        "proxy",
        "send",
        "server",
        "session",
        "up",
    )

    send: Callable[[bytes], None]

    def __init__(self, proxy: Proxy, number: int) -> None:
        self.proxy, self.number = proxy, number
        self.loop = proxy.loop
        self.client = Side(self, self._keep_early)
        self.server = Side(self, discard)
        self.up = self.client.reads = self.server.writes = Flow(self, "upstream", self.client, self.server)
        self.down = self.server.reads = self.client.writes = Flow(
            self, "downstream", self.server, self.client
        )
        self.session: Session | None = None
        self._early: list[bytes] = []
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._started = False
        self._over = False

    @property
    def over(self) -> bool:
        """Return whether it is being closed."""
        return self._over

    @property
    def started(self) -> bool:
        """Return whether both sides have been there."""
        return self._started

    def flows(self) -> tuple[Flow, Flow]:
        """Return both directions."""
        return self.up, self.down

    # ------------------------------------------------------------ what happens to the sides

    def made(self, side: Side) -> None:
        """Connect to the upstream as soon as the client is there, and start as soon as that one is there too."""
        if side is self.client:
            self.proxy.opened(self)
            self._task = self.loop.create_task(self._connect())
        elif self._over:
            side.abort(reset=False)
        else:
            # At once, since a server may speak first.
            self._start()

    def ended(self, side: Side) -> None:
        """Pass a half-close on, once there is somebody to pass it to."""
        if self._started and not self._over:
            side.reads.eof()

    def delivered(self) -> None:
        """Close when both directions have ended."""
        if self.up.delivered_eof and self.down.delivered_eof:
            self.close()

    def gone(self, side: Side, error: Exception | None) -> None:
        """Pass a reset on, and end when both sides are gone."""
        if not self._over:
            if not self._started:
                self.abort(reset=False)
            elif error is None and self.up.delivered_eof and self.down.delivered_eof:
                self.close()
            else:
                side.writes.connect()
                side.reads.lost()
        self._finish_if_gone()

    # ------------------------------------------------------------ ending it

    def close(self) -> None:
        """Close both sides when what was written has gone out, at the latest after a minute."""
        if self._over:
            return
        self._over = True
        self._stop()
        self._closing = self.loop.call_later(CLOSE_LIMIT_S, self._abort, False)
        self.client.close()
        self.server.close()
        self._finish_if_gone()

    def abort(self, *, reset: bool) -> None:
        """Close both sides at once; ``reset`` sends both peers an RST."""
        self._over = True
        self._stop()
        self._abort(reset)

    def cut(self, *, reset: bool) -> None:
        """Cut the client off at once, and take an orderly leave of the upstream."""
        self._over = True
        self._stop()
        self.client.abort(reset=reset)
        self.server.abort(reset=False)
        self._finish_if_gone()

    def _abort(self, reset: bool) -> None:
        self.client.abort(reset=reset)
        self.server.abort(reset=reset)
        self._finish_if_gone()

    def _stop(self) -> None:
        if self._task is not None and not self._started:
            self._task.cancel()
        if self.session is not None:
            self.session.stop()
        self.up.stop()
        self.down.stop()
        self.client.take(discard)
        self.server.take(discard)

    def _finish_if_gone(self) -> None:
        if any(side.transport is not None and not side.lost for side in (self.client, self.server)):
            return
        if not self._over:
            self._over = True
            self._stop()
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self.proxy.closed(self)

    # ------------------------------------------------------------ beginning it

    def _keep_early(self, data: bytes) -> None:
        self._early.append(data)
        if sum(map(len, self._early)) > EARLY_BYTES_MAX:
            self.up.pause(self)

    async def _connect(self) -> None:
        host, port = self.proxy.upstream
        try:
            await self.loop.create_connection(lambda: cast(asyncio.Protocol, self.server), host, port)
        except OSError as error:
            log.info("%s: the upstream %s:%s can't be reached: %s", self.proxy.name, host, port, error)
            # What the client would have got without a proxy: no connection, not an orderly end.
            self.abort(reset=True)

    def _start(self) -> None:
        self._started = True
        if self.proxy.protocol != "tcp":
            self.up.scanner = self
        self.proxy.put_toxics(self)
        early, self._early = self._early, []
        for data in early:
            self.client.data_received(data)
        self.up.resume(self)
        if self.client.ended and not self._over:
            self.up.eof()

    # ------------------------------------------------------------ as the first scanner

    def feed(self, data: bytes) -> None:
        """Look at the client's first bytes, and let a session or nobody look at the rest."""
        self.up.scanner = None
        if plausible(data):
            self.session = Session(self)
        else:
            if data[:1] == TLS_HANDSHAKE:
                self.proxy.count_opaque("TLS")
            elif self.proxy.protocol == "postgres":
                self.proxy.count_opaque(NOT_POSTGRES)
            self.up.connect()
        self.client.data_received(data)

    def eof(self) -> bool:
        """Let the half-close go by."""
        return True
