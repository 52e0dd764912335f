"""Plays all that is open: in reverse, every step even when another fails, and those that failed again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import CapsizeError
from capsize.core.undo import Undo
from capsize.guardian.log import Before, Book, Healed, UndoLog, Why
from capsize.guardian.owner import Owner
from capsize.guardian.steps.play import OF_THIS_BOOT, describe, play

PAUSES_S = (0.0, 0.1, 0.5)
"""Before each round. A step may fail for want of another: a folder is busy until its process is gone."""


def play_all(tickets: Iterable[Before], why: Why, *, rebooted: bool = False) -> list[Healed]:
    """Play the steps of all tickets, the last step of the last one first; say for each ticket what is left."""
    began = time.monotonic()
    given = [*tickets]
    todo = [(ticket, step) for ticket in given for step in ticket.steps][::-1]
    failed: dict[tuple[str, Undo], str] = {}
    for pause_s in PAUSES_S:
        time.sleep(pause_s if todo else 0.0)
        failed = {}
        for ticket, step in todo:
            error = None if rebooted and isinstance(step, OF_THIS_BOOT) else _tried(step)
            if error is not None:
                failed[ticket.ticket, step] = error
        todo = [(ticket, step) for ticket, step in todo if (ticket.ticket, step) in failed]
    took_s = round(time.monotonic() - began, 3)
    return [
        Healed(
            t=time.time(),
            ticket=ticket.ticket,
            why=why,
            steps=tuple(describe(step) for step in ticket.steps),
            left=tuple(message for (of, _), message in failed.items() if of == ticket.ticket),
            strike=ticket.strike,
            took_s=took_s,
        )
        for ticket in given
    ]


def heal_log(path: Path) -> list[Healed]:
    """Play what a log still holds open, and write into it what became of that.

    The caller has seen that the log's owner does not live.
    """
    book, log = Book.read(path), UndoLog(path)
    rebooted = book.owner is not None and book.owner.rebooted
    healed = play_all(book.open.values(), "later", rebooted=rebooted)
    for line in healed:
        # A disk that is full keeps nobody from healing.
        with suppress(OSError):
            log.append(line)
    return healed


def guarded_by(path: Path) -> Owner | None:
    """Return the process that wrote a log and lives; None when there is no such process here."""
    owner = Book.read(path).owner
    return owner if owner is not None and owner.here and owner.lives() else None


def _tried(step: Undo) -> str | None:
    try:
        play(step)
    except (CapsizeError, OSError) as error:
        return f"{describe(step)}: {error}"
    except Exception as error:
        return f"{describe(step)}: {type(error).__name__}: {error}"
    return None
