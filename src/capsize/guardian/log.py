"""The undo log: what was broken, written down for good before it is broken.

``undo.jsonl`` holds two kinds of lines. Those of strikes say what was done to whom. Those with the field ``guard``
say which process guards, and hold the steps by which what was left on the machine is undone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from capsize.core.experiment import Spec
from capsize.core.undo import Undo
from capsize.guardian.owner import Owner

Why = Literal["died", "left", "overdue", "later"]
"""Why steps were played: capsize died; it ended and had left them; their time was over; by ``capsize heal``."""


class OpenStrike(msgspec.Struct, frozen=True, kw_only=True):
    """A strike that was about to be carried out and of which no healing is known.

    ``t`` is in seconds since the epoch: whoever undoes it may live in another process.
    """

    strike: str
    fault: str
    args: dict[str, Any]
    victims: tuple[str, ...]
    t: float


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="guard", omit_defaults=True):
    """The root of the lines about steps; ``t`` is in seconds since the epoch."""

    t: float


class Opened(Line, frozen=True, kw_only=True, tag="opened"):
    """A process began to write here: what it leaves is its own to heal as long as it lives."""

    owner: Owner


class Before(Line, frozen=True, kw_only=True, tag="before"):
    """Steps that undo what is about to be done; ``strike`` is the one under way, if any."""

    ticket: str
    steps: tuple[Undo, ...]
    ttl_s: float | None = None
    strike: str = ""


class After(Line, frozen=True, kw_only=True, tag="after"):
    """What a ticket stands for was undone in order."""

    ticket: str


class Healed(Line, frozen=True, kw_only=True, tag="healed"):
    """A ticket's steps were played, in ``took_s`` seconds. What could not be undone is ``left``; it stays open then."""

    ticket: str
    why: Why
    steps: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    strike: str = ""
    took_s: float = 0.0


class Closed(Line, frozen=True, kw_only=True, tag="closed"):
    """Capsize ended in order."""


AnyLine = Opened | Before | After | Healed | Closed


class UndoLog:
    """Appends to ``undo.jsonl``; what must be known later is on the disk when the call that wrote it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def about_to(self, strike_id: str, fault: Spec, victims: Sequence[str]) -> None:
        """Write down that a strike is about to be carried out."""
        self.append(
            OpenStrike(
                strike=strike_id, fault=fault.name, args=fault.args, victims=tuple(victims), t=time.time()
            )
        )

    def healed(self, strike_id: str) -> None:
        """Write down that a strike needs no undoing any more."""
        self.append({"strike": strike_id, "healed": True})

    def append(self, line: object, *, durable: bool = True) -> bytes:
        """Write one line and return it; not ``durable``: a machine that loses its power may forget it."""
        encoded = msgspec.json.encode(line) + b"\n"
        # Opened for each line: a strike comes every few seconds at most, and nothing has to be closed.
        with self._lock:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                # The newline goes first when the last writer died in mid-line: one write, one line.
                torn = b"" if _ends_whole(self.path) else b"\n"
                os.write(fd, torn + encoded)
                if durable:
                    os.fsync(fd)
            finally:
                os.close(fd)
        return encoded


class Book:
    """The tickets that are open, in the order in which they were given, and who gave them."""

    def __init__(self) -> None:
        self.open: dict[str, Before] = {}
        self.owner: Owner | None = None

    @classmethod
    def read(cls, path: Path) -> Book:
        """Return what a log says. A missing file says nothing; a line that was cut off is left out."""
        book = cls()
        for line in _lines(path):
            book.take(line)
        return book

    def take(self, line: bytes) -> AnyLine | None:
        """Learn from one line and return what it is, None when it says nothing about steps."""
        try:
            entry: AnyLine = msgspec.json.decode(line, type=AnyLine)
        except msgspec.DecodeError:
            return None
        match entry:
            case Opened():
                self.owner = entry.owner
            case Before():
                self.open[entry.ticket] = entry
            case After(ticket=ticket) | Healed(ticket=ticket, left=()):
                self.open.pop(ticket, None)
        return entry


def still_open(path: Path) -> tuple[OpenStrike, ...]:
    """Return the strikes that were begun and not healed, in the order in which they began.

    A missing file holds none. A line that was cut off while it was written is left out: the strike is
    carried out only after its line is whole.
    """
    found: dict[str, OpenStrike] = {}
    for line in _lines(path):
        try:
            entry = msgspec.json.decode(line, type=dict[str, Any])
            if "guard" in entry:
                continue
            if entry.get("healed"):
                found.pop(entry["strike"], None)
            else:
                strike = msgspec.convert(entry, OpenStrike)
                found[strike.strike] = strike
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError):
            continue
    return tuple(found.values())


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
