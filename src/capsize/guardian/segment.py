"""The shared memory segment by which PostgreSQL marks a data directory as in use."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

IPC_RMID = 0


def release_segment(data: Path) -> None:
    """Free the segment of a server that was killed; nothing when there is none.

    A machine has a few thousand of them, and nobody else frees those of a data directory that is removed.
    """
    number = _segment(data / "postmaster.pid")
    if number is not None:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).shmctl(number, IPC_RMID, None)


def _segment(pid_file: Path) -> int | None:
    """Return the number that the server wrote down, in the second half of line 7."""
    with suppress(OSError, ValueError, IndexError):
        return int(pid_file.read_text().splitlines()[6].split()[1])
    return None
