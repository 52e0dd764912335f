"""The server's direction: counts the replies, and holds those that an action waits for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from capsize.proxy.postgres import wire
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.postgres.wire import BACKEND, HEAD, Refusal

if TYPE_CHECKING:
    from capsize.proxy.postgres.client import Expected
    from capsize.proxy.postgres.session import Session

HELD_BYTES_MAX = 1024 * 1024
_ENDS = frozenset((wire.COMMAND_COMPLETE, wire.EMPTY_QUERY, wire.SUSPENDED))
_FINAL = _ENDS | {wire.READY, wire.ERROR}
_TRACKED = _ENDS | {wire.READY, wire.ERROR, wire.COPY_IN}


class Refused(NamedTuple):
    """An error that the server was made to give, and what the client gets instead."""

    refusal: Refusal
    rule: Rule
    group: int


class ServerScanner:
    """Passes everything on at once and counts, unless a reply is waited for: then message by message."""

    send: Callable[[bytes], None]

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answer = ""
        self._skip = 0
        # The beginning of a message whose head is not complete, and how much of it has been passed on.
        self._part = b""
        self._part_sent = 0
        self._ends = 0
        self._expected: deque[Expected] = deque()
        self._refused: dict[bytes, Refused] = {}
        self._active: Expected | None = None
        # What becomes of the rest of a message that is not complete.
        self._rest = "pass"
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._overflow = False
        # Whether what is held acknowledges the statement already, if nothing more comes.
        self._complete = False
        self._busy = False
        self._ended = False
        self._tail = b""

    # ------------------------------------------------------------ as a Scanner

    def feed(self, data: bytes) -> None:
        """Take bytes of the server."""
        if self._busy:
            self._keep(data)
        elif self._answer:
            self._take_answer(data)
        elif self._expected or self._refused or self._active is not None or len(self._part) > self._part_sent:
            self._sift(data)
        else:
            self.send(data)
            self._count(data)

    def eof(self) -> bool:
        """Keep the half-close while an action is under way."""
        self._ended = True
        if self._busy:
            return False
        self._let_out()
        self._out(self._unsent())
        return True

    def release(self) -> bytes:
        """Return what is held, for good."""
        data = b"".join(self._held) + self._unsent() + self._tail
        self._held, self._tail, self._held_bytes = [], b"", 0
        self._session.link.down.resume(self)
        return data

    # ------------------------------------------------------------ what the client's direction asks for

    def await_answer(self, what: str) -> None:
        """Expect one bare byte: whether the server encrypts."""
        self._answer = what

    def expect(self, expected: Expected) -> None:
        """Wait for the reply to a statement that is about to be sent."""
        self._expected.append(expected)

    def refuse(self, marker: str, refusal: Refusal, rule: Rule, group: int) -> None:
        """Put the error that names the marker into other words."""
        self._refused[marker.encode()] = Refused(refusal, rule, group)

    def flushed(self) -> None:
        """Note that the client may be waiting for replies before it sends its Sync."""
        self._begin_when_due()

    def missed(self) -> None:
        """Take back the hits of what will not come any more: the connection is over."""
        if self._active is not None:
            self._expected.append(self._active)
            self._active = None
        for expected in self._expected:
            for rule in expected.rules:
                rule.missed()
        for refused in self._refused.values():
            refused.rule.missed()
        self._expected.clear()
        self._refused.clear()

    # ------------------------------------------------------------ counting only

    def _count(self, data: bytes) -> None:
        """Follow the messages of bytes that have gone out already."""
        pos = self._skip
        if self._part:
            data = self._part + data
            self._part, self._part_sent = b"", 0
        n = len(data)
        while n - pos >= 5:
            kind, length = HEAD.unpack_from(data, pos)
            if length < 4 or kind not in BACKEND:
                self._session.let_go("not PostgreSQL")
                return
            if kind in _TRACKED:
                self._track(kind)
            pos += 1 + length
        if pos < n:
            self._part, self._skip = data[pos:], 0
            self._part_sent = len(self._part)
        else:
            self._skip = pos - n

    def _track(self, kind: int) -> None:
        session = self._session
        if kind == wire.READY:
            session.answered()
            self._ends = 0
            session.client.copying = False
        elif kind == wire.COPY_IN:
            session.client.copying = True
            if session.asked and session.asked[0] == wire.SYNC:
                session.withdraw()
        elif kind == wire.ERROR:
            session.client.copying = False
        else:
            self._ends += 1

    # ------------------------------------------------------------ message by message

    def _sift(self, data: bytes) -> None:
        sent = self._part_sent
        pos = 0
        if self._part:
            data = self._part + data
            self._part, self._part_sent = b"", 0
        elif self._skip:
            pos = min(self._skip, len(data))
            self._skip -= pos
            self._dispose(data[:pos], self._rest)
        n = len(data)
        while n - pos >= 5 and not self._busy and not self._session.link.over:
            kind, length = HEAD.unpack_from(data, pos)
            if length < 4 or kind not in BACKEND:
                self._part, self._part_sent = data[max(pos, sent) :], 0
                self._session.let_go("not PostgreSQL")
                return
            end = pos + 1 + length
            if kind in _FINAL and end > n and length <= wire.ERROR_BYTES_MAX:
                break
            what = "pass" if sent > pos else self._judge(kind, data[pos + 5 : end])
            self._dispose(data[max(pos, sent) : end], what)
            self._skip, self._rest = max(0, end - n), what
            pos = min(end, n)
            self._settle(kind, whole=end <= n)
        if self._session.link.over:
            return
        if self._busy:
            self._keep(data[pos:])
        elif not self._skip:
            self._part, self._part_sent = data[pos:], max(0, sent - pos)

    def _judge(self, kind: int, body: bytes) -> str:
        """Tell what becomes of a message: ``pass``, ``hold`` or ``gone`` (it was answered in other words)."""
        if kind == wire.ERROR and self._refused:
            for marker, refused in self._refused.items():
                if marker in body:
                    del self._refused[marker]
                    self._say(refused.refusal)
                    return "gone"
        if self._active is None and self._expected and self._is_due(self._expected[0]):
            self._active = self._expected.popleft()
            self._overflow = self._complete = False
        if self._active is None or kind in wire.CONVERSES:
            return "pass"
        if self._active.discard:
            return "gone"
        return "pass" if self._overflow and kind not in _FINAL else "hold"

    def _is_due(self, expected: Expected) -> bool:
        done = self._session.done
        return done == expected.group and (expected.executes is None or self._ends >= expected.executes)

    def _say(self, refusal: Refusal) -> None:
        if refusal.fatal:
            self._session.link.down.last_words(wire.error_response(refusal))
        else:
            self._out(wire.error_response(refusal))

    def _dispose(self, data: bytes, what: str) -> None:
        if what == "pass":
            if self._overflow:
                self._let_out()
            self._out(data)
        elif what == "hold":
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > HELD_BYTES_MAX and not self._overflow:
                # Rows go on; the end of the command, which acknowledges it, does not.
                self._overflow = True
                self._let_out()

    def _settle(self, kind: int, *, whole: bool) -> None:
        """Count a message, and begin the actions when the reply is complete. Those that end one are short."""
        session = self._session
        if session.link.over:
            return
        if kind in _TRACKED:
            self._track(kind)
        if kind == wire.READY:
            for marker in [key for key, refused in self._refused.items() if refused.group < session.done]:
                # The server skipped the statement: one before it in the pipeline had failed.
                self._refused.pop(marker).rule.missed()
        if self._active is not None and whole:
            self._complete = self._complete or kind in _FINAL
            self._begin_when_due(ready=kind == wire.READY)

    def _begin_when_due(self, *, ready: bool = False) -> None:
        active, session = self._active, self._session
        if active is None:
            return
        waits = active.executes is not None and not session.asked and session.client.flushed
        if ready or (waits and self._complete):
            self._active = None
            self._busy = True
            session.run(asyncio.get_running_loop().create_task(self._act(active)))

    async def _act(self, expected: Expected) -> None:
        session = self._session
        await session.carry_out(expected.rules, "after", expected.text)
        if session.link.over:
            return
        self._busy = False
        self._let_out()
        data, self._tail = self._tail, b""
        if data:
            self.feed(data)
        if not self._busy and not session.link.over:
            session.link.down.resume(self)
            if self._ended:
                self._out(self._unsent())
                session.link.down.pass_eof()

    # ------------------------------------------------------------

    def _take_answer(self, data: bytes) -> None:
        what, self._answer = self._answer, ""
        self.send(data[:1])
        encrypted = data[:1] != b"N"
        self._session.client.negotiated(encrypted, what)
        if data[1:]:
            if encrypted:
                self.send(data[1:])
            else:
                self.feed(data[1:])

    def _let_out(self) -> None:
        held, self._held, self._held_bytes = b"".join(self._held), [], 0
        self._out(held)

    def _unsent(self) -> bytes:
        part, self._part = self._part[self._part_sent :], b""
        self._part_sent = 0
        return part

    def _keep(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) > HELD_BYTES_MAX:
            self._session.link.down.pause(self)

    def _out(self, data: bytes) -> None:
        if data:
            self.send(data)
