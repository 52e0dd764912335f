"""The undo log: what was broken, written down for good before it is broken."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.experiment import Spec


class OpenStrike(msgspec.Struct, frozen=True, kw_only=True):
    """A strike that was about to be carried out and of which no healing is known.

    ``t`` is in seconds since the epoch: whoever undoes it may live in another process.
    """

    strike: str
    fault: str
    args: dict[str, Any]
    victims: tuple[str, ...]
    t: float


class UndoLog:
    """Appends to ``undo.jsonl``; a line is on the disk when the call that wrote it returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def about_to(self, strike_id: str, fault: Spec, victims: Sequence[str]) -> None:
        """Write down that a strike is about to be carried out."""
        self._append(
            OpenStrike(
                strike=strike_id, fault=fault.name, args=fault.args, victims=tuple(victims), t=time.time()
            )
        )

    def healed(self, strike_id: str) -> None:
        """Write down that a strike needs no undoing any more."""
        self._append({"strike": strike_id, "healed": True})

    def _append(self, line: object) -> None:
        # Opened for each line: a strike comes every few seconds at most, and nothing has to be closed.
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # The newline goes first when the last writer died in mid-line: one write, one line.
            torn = b"" if _ends_whole(self._path) else b"\n"
            os.write(fd, torn + msgspec.json.encode(line) + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)


def still_open(path: Path) -> tuple[OpenStrike, ...]:
    """Return the strikes that were begun and not healed, in the order in which they began.

    A missing file holds none. A line that was cut off while it was written is left out: the strike is
    carried out only after its line is whole.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found: dict[str, OpenStrike] = {}
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=dict[str, Any])
            if entry.get("healed"):
                found.pop(entry["strike"], None)
            else:
                strike = msgspec.convert(entry, OpenStrike)
                found[strike.strike] = strike
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError):
            continue
    return tuple(found.values())


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
