"""What a stack lays outside of its folder: told to the guard, and written down in the folder itself.

The folder may outlive both capsize and its guard, when the stack is left up; whoever removes it later, removes
all that it names.
"""

from __future__ import annotations

import os
from pathlib import Path

from capsize.core.undo import Guard, RemoveCgroup, RemoveFolder, Unmount
from capsize.guardian.place import OUTSIDE

LIFE_S = 7 * 86400.0
"""Longer than any stack stands."""


class Outside:
    """Tickets of one kind of things, given back together."""

    def __init__(self, place: Path, guard: Guard) -> None:
        self.place = place
        self.guard = guard
        self._tickets: list[str] = []

    def announce(self, *steps: RemoveCgroup | RemoveFolder | Unmount) -> None:
        """Say what is about to be laid; on return it is known to the guard and to the folder."""
        fd = os.open(self.place / OUTSIDE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, "".join(f"{step.path}\n" for step in steps).encode())
        finally:
            os.close(fd)
        # It stays until the stack is down, also when it is a strike that needs it first.
        self._tickets.append(self.guard.before(*steps, ttl_s=LIFE_S))

    def done(self) -> None:
        """All of it is gone, or is the folder's affair alone from now on."""
        for ticket in self._tickets:
            self.guard.after(ticket)
        self._tickets.clear()
