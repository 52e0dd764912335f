"""The client's direction: finds the statements, and holds those that a rule is about."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from capsize.proxy.postgres import wire
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.postgres.startup import Startup
from capsize.proxy.postgres.statements import Statements
from capsize.proxy.postgres.transaction import Transaction
from capsize.proxy.postgres.wire import HEAD, LOOK, Refusal

if TYPE_CHECKING:
    from capsize.proxy.postgres.session import Session

HELD_BYTES_MAX = 256 * 1024


class Expected(NamedTuple):
    """A reply that an action waits for: of the ``executes``-th Execute of a group, or of the whole group."""

    rules: tuple[Rule, ...]
    text: bytes
    group: int
    executes: int | None
    discard: bool


class ClientScanner:
    """Follows message after message by their lengths; looks only into those that name or carry statements.

    Bytes are passed on as they come, apart from a statement that is not complete yet (up to 64 KiB of it)
    and from what waits behind an action.
    """

    send: Callable[[bytes], None]

    def __init__(self, session: Session) -> None:
        self._session = session
        self._startup: Startup | None = Startup(session)
        self._statements = Statements()
        self._transaction = Transaction()
        self._tail = b""
        self._skip = 0
        self._drop = 0
        self._busy = False
        self._ended = False
        self._executes = 0
        self.copying = False
        # Whether the current group was flushed: then its client may wait before it sends the Sync.
        self.flushed = False

    # ------------------------------------------------------------ as a Scanner

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self._tail:
            data = self._tail + data
            self._tail = b""
        if self._busy:
            self._keep(data)
        elif self._startup is not None:
            self._begin(data)
        else:
            self._scan(data, self._skip)

    def eof(self) -> bool:
        """Keep the half-close while an action is under way."""
        self._ended = True
        if self._busy:
            return False
        self._out(self._tail)
        self._tail = b""
        return True

    def release(self) -> bytes:
        """Return what is held, for good."""
        held, self._tail = self._tail, b""
        self._session.link.up.resume(self)
        return held

    # ------------------------------------------------------------ the beginning

    def negotiated(self, encrypted: bool, what: str) -> None:
        """Take the server's answer to a request for encryption."""
        if encrypted:
            self._session.let_go(what)
            return
        self._unbusy()

    def _begin(self, data: bytes) -> None:
        assert self._startup is not None  # noqa: S101 - feed has looked
        step = self._startup.step(data)
        if step.opaque:
            self._tail = data
            self._session.let_go(step.opaque)
        elif step.wait:
            self._tail = data
        elif step.negotiate:
            self._out(data[: step.size])
            self._busy = True
            self._keep(data[step.size :])
            self._session.server.await_answer(step.negotiate)
        else:
            self._started(data, step.size)

    def _started(self, data: bytes, size: int) -> None:
        self._startup = None
        fired = tuple(rule for rule in self._session.matcher.startup if rule.fires())
        if fired:
            self._hold(data, fired, ord("R"), size, b"")
            return
        self._session.ask(wire.SYNC)
        self._scan(data, size)

    # ------------------------------------------------------------ messages

    def _scan(self, data: bytes, pos: int) -> None:
        """Go through the messages from ``pos``; everything before it may go."""
        n = len(data)
        if self._drop:
            gone = min(self._drop, n)
            self._drop -= gone
            data = data[gone:]
            pos, n = max(0, pos - gone), n - gone
        while n - pos >= 5:
            kind, length = HEAD.unpack_from(data, pos)
            look = LOOK[kind]
            if look < 0 or length < 4:
                self._out(data[:pos])
                self._tail = data[pos:]
                self._session.let_go("not PostgreSQL")
                return
            end = pos + 1 + length
            if look:
                if end > n and n - pos < look:
                    break
                fired = self._look(kind, data, pos + 5, min(end, n))
                if fired is not None:
                    self._out(data[:pos])
                    self._hold(data[pos:], fired[0], kind, end - pos, fired[1])
                    return
            pos = end
        if pos >= n:
            self._skip = pos - n
            self._out(data)
        else:
            self._skip = 0
            self._out(data[:pos])
            self._tail = data[pos:]

    def _look(self, kind: int, data: bytes, body: int, end: int) -> tuple[tuple[Rule, ...], bytes] | None:
        """Note what a message says; returns the rules that fire on it, with the text."""
        session = self._session
        if kind == wire.EXECUTE:
            text = self._statements.text(_name(data, body, end))
            fired = self._fired(text) if text is not None else ()
            if text is not None and fired:
                return fired, text
            self._executes += 1
        elif kind == wire.BIND:
            portal = _name(data, body, end)
            self._statements.bind(portal, _name(data, body + len(portal) + 1, end))
        elif kind == wire.SYNC:
            self._sync()
        elif kind == wire.QUERY:
            if session.matcher.rules:
                text = data[body:end].rstrip(b"\0")
                fired = self._fired(text)
                if fired:
                    return fired, text
            session.ask(kind)
            self._executes = 0
        elif kind == wire.PARSE:
            name = _name(data, body, end)
            self._statements.parse(name, _name(data, body + len(name) + 1, end))
        else:
            self._note(kind, data, body, end)
        return None

    def _note(self, kind: int, data: bytes, body: int, end: int) -> None:
        if kind == wire.CLOSE and end > body:
            self._statements.close(data[body], _name(data, body + 1, end))
        elif kind == wire.FUNCTION_CALL:
            self._session.ask(kind)
        elif kind == wire.FLUSH:
            self.flushed = True
            self._session.server.flushed()
        elif kind in (wire.COPY_DONE, wire.COPY_FAIL):
            self.copying = False

    def _sync(self) -> None:
        # The server throws a Sync away that comes while it reads copy data.
        if not self.copying:
            self._session.ask(wire.SYNC)
            self._executes = 0
            self.flushed = False

    def _fired(self, text: bytes) -> tuple[Rule, ...]:
        matcher = self._session.matcher
        if not matcher.rules:
            return ()
        fitting = matcher.fitting(text)
        if matcher.contextual:
            before = self._transaction.before(text)
            fitting = tuple(rule for rule in fitting if rule.match.holds_after(before))
        return tuple(rule for rule in fitting if rule.fires()) if fitting else ()

    # ------------------------------------------------------------ actions

    def _hold(self, data: bytes, fired: tuple[Rule, ...], kind: int, size: int, text: bytes) -> None:
        """Hold the message that the data begins with until the actions before it are over."""
        self._busy = True
        self._skip = 0
        self._keep(data)
        work = self._act(fired, kind, size, text)
        self._session.run(asyncio.get_running_loop().create_task(work))

    async def _act(self, fired: tuple[Rule, ...], kind: int, size: int, text: bytes) -> None:
        session = self._session
        before = [rule for rule in fired if rule.action.moment == "before"]
        after = tuple(rule for rule in fired if rule.action.moment == "after")
        refusal = await session.carry_out(before, "before", text)
        if session.link.over:
            return
        if refusal is not None:
            for rule in after:
                rule.missed()
            culprit = next(rule for rule in before if rule.action.name == "error")
            self._refuse(refusal, culprit, kind, size)
        else:
            self._pass(after, kind, size, text)

    def _pass(self, after: tuple[Rule, ...], kind: int, size: int, text: bytes) -> None:
        session = self._session
        if kind == wire.EXECUTE:
            executes: int | None = self._executes
            self._executes += 1
        else:
            executes = None
        if after:
            discard = not any(rule.action.keeps_reply for rule in after)
            session.server.expect(Expected(after, text, session.begun, executes, discard))
        if kind != wire.EXECUTE:
            session.ask(wire.QUERY if kind == wire.QUERY else wire.SYNC)
            self._executes = 0
        self._unbusy(size)

    def _refuse(self, refusal: Refusal, rule: Rule, kind: int, size: int) -> None:
        """Send in the statement's place what the server itself refuses; its error is then put into our words."""
        session = self._session
        if kind not in (wire.QUERY, wire.EXECUTE):
            session.link.down.last_words(wire.error_response(refusal._replace(fatal=True)))
            return
        marker = f"capsize_{secrets.token_hex(8)}"
        session.server.refuse(marker, refusal, rule, session.begun)
        if kind == wire.QUERY:
            session.ask(kind)
            self._executes = 0
        else:
            self._executes += 1
        self._out(wire.failing(kind, marker))
        self._drop = size
        self._unbusy()

    def _unbusy(self, pos: int = 0) -> None:
        """Go on with what was held; the first ``pos`` bytes of it are settled."""
        session = self._session
        self._busy = False
        data, self._tail = self._tail, b""
        if self._startup is not None:
            if data:
                self._begin(data)
        else:
            self._scan(data, pos)
        if not self._busy and not session.link.over:
            session.link.up.resume(self)
            if self._ended:
                self._out(self._tail)
                self._tail = b""
                session.link.up.pass_eof()

    def _keep(self, data: bytes) -> None:
        self._tail = data
        if len(data) > HELD_BYTES_MAX:
            self._session.link.up.pause(self)

    def _out(self, data: bytes) -> None:
        if data:
            self.send(data)


def _name(data: bytes, begin: int, end: int) -> bytes:
    """Return the bytes up to the next zero, or up to the end."""
    zero = data.find(0, begin, end)
    return data[begin : zero if zero >= 0 else end]
