"""One proxy: a listener, its connections, and what is attached to them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Literal, cast

from capsize.proxy import address
from capsize.proxy.errors import LISTEN_FAILED
from capsize.proxy.flow import Budget, Flow
from capsize.proxy.link import Link
from capsize.proxy.rules import Rules
from capsize.proxy.toxic_list import Toxics

Protocol = Literal["auto", "postgres", "tcp"]
"""``auto``: a connection that begins as PostgreSQL's do is followed. ``tcp``: none is, and rules are refused."""

BACKLOG = 1024
LOOK_AT_PAUSED_S = 1.0
STOP_LIMIT_S = 5.0
log = logging.getLogger("capsize.proxy")


class Proxy:
    """Listens on one address and connects each client to the upstream.

    ``listen`` is the address as it was asked for until the proxy has started, and the actual one then; it
    keeps its port while disabled. All methods run in the event loop; none blocks.
    """

    def __init__(
        self, name: str, listen: str, upstream: str, *, seed: int = 0, protocol: Protocol = "auto"
    ) -> None:
        self.name, self.seed, self.protocol = name, seed, protocol
        self.loop = asyncio.get_running_loop()
        self.listen = listen
        self.upstream = address.parse(upstream)
        self.upstream_text = upstream
        self.enabled = False
        self.budget = Budget()
        self.toxics = Toxics(self)
        self.rules = Rules(self)
        self.links: set[Link] = set()
        self.accepted = 0
        self.opaque: Counter[str] = Counter()
        self._server: asyncio.AbstractServer | None = None
        self._paused: set[Flow] = set()
        self._look: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # ------------------------------------------------------------ up and down

    async def start(self) -> None:
        """Listen; nothing when it does already. Raises ApiError."""
        if self.enabled:
            return
        host, port = address.listening(self.listen)
        try:
            self._server = await self.loop.create_server(self._accept, host, port, backlog=BACKLOG)
        except OSError as error:
            raise LISTEN_FAILED.because(f"tcp {self.listen}: {error.strerror or error}") from error
        name = self._server.sockets[0].getsockname()
        self.listen = address.text(name[0], name[1])
        self.enabled = True

    async def stop(self) -> None:
        """Listen no more and drop all connections; toxics and rules stay."""
        self.enabled = False
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in tuple(self.links):
            link.abort(reset=False)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                while self.links:  # noqa: ASYNC110 - the transports report their end within one turn of the loop
                    await asyncio.sleep(0)
        except TimeoutError:
            log.error("%s: %d connections did not end", self.name, len(self.links))

    async def close(self) -> None:
        """Stop for good: also the clocks of toxics and rules, and callbacks under way."""
        self.toxics.clear()
        self.rules.clear()
        await self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def move(self, listen: str, upstream: str) -> None:
        """Take other addresses; all connections are dropped, and it is disabled until it is started again."""
        parsed = address.parse(upstream)
        address.parse(listen)
        await self.stop()
        self.listen, self.upstream, self.upstream_text = listen, parsed, upstream

    # ------------------------------------------------------------ what links tell

    def opened(self, link: Link) -> None:
        """Take a new connection into account."""
        self.links.add(link)

    def closed(self, link: Link) -> None:
        """Forget a connection."""
        self.links.discard(link)
        self.toxics.forget(link)

    def put_toxics(self, link: Link) -> None:
        """Put the toxics on a connection that begins."""
        self.toxics.put(link)

    def count_opaque(self, why: str) -> None:
        """Count a connection whose statements can't be seen."""
        self.opaque[why] += 1

    def paused(self, flow: Flow) -> None:
        """Keep an eye on a connection that is not being read: its end would go unnoticed."""
        self._paused.add(flow)
        if self._look is None:
            self._look = self.loop.call_later(LOOK_AT_PAUSED_S, self._look_at_paused)

    def unpaused(self, flow: Flow) -> None:
        """It is read again, or over."""
        self._paused.discard(flow)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that may outlive its connection, but not the proxy."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ------------------------------------------------------------

    def _accept(self) -> asyncio.Protocol:
        link = Link(self, self.accepted)
        self.accepted += 1
        return cast(asyncio.Protocol, link.client)

    def _look_at_paused(self) -> None:
        self._look = None
        for flow in tuple(self._paused):
            if flow.source.is_dead():
                flow.source.abort(reset=False)
        if self._paused:
            self._look = self.loop.call_later(LOOK_AT_PAUSED_S, self._look_at_paused)
