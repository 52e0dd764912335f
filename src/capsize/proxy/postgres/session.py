"""One PostgreSQL connection as the proxy follows it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsize.proxy.postgres.actions.base import Moment, When
from capsize.proxy.postgres.client import ClientScanner
from capsize.proxy.postgres.rule import Matcher, Rule
from capsize.proxy.postgres.server import ServerScanner
from capsize.proxy.postgres.wire import Refusal

if TYPE_CHECKING:
    from capsize.proxy.link import Link

log = logging.getLogger("capsize.proxy")


class Session:
    """What both directions of a PostgreSQL connection know together.

    ``asked`` holds one entry for each ReadyForQuery that the server still owes: the code of the message
    that asked for it. ``begun`` and ``done`` number these groups. A session that can't be followed
    (encrypted, or no PostgreSQL) lets go of the connection and says why in ``opaque``.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.opaque = ""
        self.asked: deque[int] = deque()
        self.begun = 0
        self.done = 0
        self._task: set[asyncio.Task[None]] = set()
        self.client = ClientScanner(self)
        self.server = ServerScanner(self)
        link.up.scanner = self.client
        link.down.scanner = self.server
        link.up.connect()
        link.down.connect()

    @property
    def matcher(self) -> Matcher:
        """Return the proxy's rules as of now."""
        return self.link.proxy.rules.matcher

    def ask(self, kind: int) -> None:
        """Note that the server owes one more ReadyForQuery."""
        self.asked.append(kind)
        self.begun += 1

    def answered(self) -> None:
        """Note a ReadyForQuery."""
        if self.asked:
            self.asked.popleft()
            self.done += 1

    def withdraw(self) -> None:
        """Forget a Sync that the server ignores, because it is reading copy data."""
        if self.asked:
            self.asked.pop()
            self.begun -= 1

    def let_go(self, why: str) -> None:
        """Follow the connection no longer; what is held goes out first."""
        if self.opaque:
            return
        self.opaque = why
        link = self.link
        link.proxy.count_opaque(why)
        client, server = self.client.release(), self.server.release()
        link.up.scanner = link.down.scanner = None
        if link.over:
            return
        link.up.connect()
        link.down.connect()
        if client:
            self.client.send(client)
        if server:
            self.server.send(server)

    def stop(self) -> None:
        """Let go of everything: the connection is over."""
        for task in self._task:
            task.cancel()
        self.server.missed()

    def run(self, work: asyncio.Task[None]) -> None:
        """Keep hold of a task until it is done; an action that fails must not pass unseen."""
        self._task.add(work)
        work.add_done_callback(self._ended)

    async def carry_out(self, rules: Sequence[Rule], when: When, text: bytes) -> Refusal | None:
        """Carry out the actions of fired rules, one after the other, until one ends the connection."""
        refusal: Refusal | None = None
        for rule in rules:
            moment = Moment(self.link, rule, when, text)
            try:
                await rule.action.carry_out(moment)
            except Exception as error:
                rule.wrong(error)
                log.exception("rule %s", rule.name)
            if self.link.over:
                return None
            refusal = refusal or moment.refusal
        return refusal

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a rule's action broke", exc_info=error)
            self.link.abort(reset=True)
