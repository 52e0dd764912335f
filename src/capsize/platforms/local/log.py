"""The output of one instance, in one file over all its starts."""

from __future__ import annotations

import os
from pathlib import Path

TAIL_LINES = 15
TAIL_BYTES = 16_384


class InstanceLog:
    """A file to which an instance writes; each start begins with a line of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0
        self._scanned = 0

    def open(self, marker: str) -> int:
        """Write the line that begins a start and return a descriptor for the instance; the caller closes it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.write(fd, f"--- capsize: {marker} ---\n".encode())
        self._start = self._scanned = os.fstat(fd).st_size
        return fd

    def holds(self, text: str) -> bool:
        """Return whether a text was written since the last start; each look reads only what is new."""
        wanted = text.encode()
        with self.path.open("rb") as file:
            file.seek(self._scanned)
            fresh = file.read()
        # The text may have been written in two halves: the next look begins before this one's end.
        self._scanned += max(0, len(fresh) - len(wanted) + 1)
        return wanted in fresh

    def tail(self) -> str:
        """Return the last lines since the last start, indented, for the message of an error."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self._start, end - TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        text = "\n".join(f"  | {line}" for line in lines[-TAIL_LINES:])
        return f"\nThe end of {self.path}:\n{text}" if text else f"\nIt wrote nothing to {self.path}."
