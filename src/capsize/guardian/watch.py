"""The guardian itself: a process that outlives capsize by as long as healing takes.

It learns each step by a line on its standard input, whose end is capsize's end, however that came about. Then
it plays all that is open, in reverse, and ends. It says on its standard output what it played while capsize
lives. It loads little, since it starts beside everything else that a run starts.
"""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from capsize.guardian.log import Before, Book, Closed, UndoLog, Why
from capsize.guardian.playing import play_all
from capsize.guardian.registry import unregister

CHUNK = 1 << 16
READY = b'{"guard":"ready"}\n'
UNMOVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""It ends when capsize ends; a Ctrl-C or a shutdown reaches capsize, which heals by itself."""


class Watch:
    """Keeps the book of one undo log while its owner lives, and closes it."""

    def __init__(self, path: Path, note: Path | None) -> None:
        self._log, self._note = UndoLog(path), note
        self._book = Book.read(path)
        self._rest = b""
        self._ends: dict[str, float] = {}
        for ticket in self._book.open.values():
            # Begun under an earlier guardian: a part of its time is over.
            self._count(ticket, time.time() - ticket.t)

    def run(self) -> None:
        """Watch until capsize ends or dies, and see that nothing is left of it."""
        _say(READY)
        while True:
            readable, _, _ = select.select([0], [], [], self._patience())
            if readable:
                data = os.read(0, CHUNK)
                if not data:
                    self._died()
                    return
                if self._learn(data):
                    self._end("left")
                    return
            self._expire()

    def _learn(self, data: bytes) -> bool:
        """Take what was said; True when it was that capsize ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            entry = self._book.take(line)
            if isinstance(entry, Before):
                self._count(entry, 0.0)
            if isinstance(entry, Closed):
                return True
        return False

    def _count(self, ticket: Before, gone_s: float) -> None:
        if ticket.ttl_s is not None:
            self._ends[ticket.ticket] = time.monotonic() + ticket.ttl_s - gone_s

    def _patience(self) -> float | None:
        ends = [end for ticket, end in self._ends.items() if ticket in self._book.open]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _expire(self) -> None:
        over = [ticket for ticket, end in self._ends.items() if end <= time.monotonic()]
        for ticket in over:
            del self._ends[ticket]
        self._play([t for t in self._book.open.values() if t.ticket in over], "overdue")

    def _died(self) -> None:
        # What was written down and did not get through to us any more.
        self._book.open |= {
            t: b for t, b in Book.read(self._log.path).open.items() if t not in self._book.open
        }
        self._end("died")

    def _end(self, why: Why) -> None:
        self._play([*self._book.open.values()], why)
        if not self._book.open:
            if why == "left":
                with suppress(OSError):
                    self._log.append(Closed(t=time.time()))
            unregister(self._note)

    def _play(self, tickets: Sequence[Before], why: Why) -> None:
        for healed in play_all(tickets, why) if tickets else ():
            self._book.take(msgspec.json.encode(healed))
            _say(msgspec.json.encode(healed) + b"\n")
            # A disk that is full keeps nobody from healing.
            with suppress(OSError):
                self._log.append(healed)


def _say(line: bytes) -> None:
    with suppress(OSError):
        os.write(1, line)


def main(argv: Sequence[str]) -> int:
    """Guard the log that is named first; the second, if any, is its note in the registry."""
    for number in UNMOVED:
        signal.signal(number, signal.SIG_IGN)
    path, note = Path(argv[0]), Path(argv[1]) if len(argv) > 1 else None
    # Whatever capsize was started in may be unmounted or removed by a step.
    os.chdir("/")
    try:
        Watch(path, note).run()
    except BaseException:
        with suppress(OSError):
            path.with_name("guardian-crash.txt").write_text(traceback.format_exc())
        raise
    return 0
