"""Copies what a container writes into its instance's log file, start by start."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any

from capsize.platforms.docker.engine import EngineError, is_missing, spoken

END_LIMIT_S = 2.0


class Follower:
    """Follows one container's output; a start of it is followed from where the one before ended.

    The engine stamps every line, and is asked for lines from the second of the last one on: what was there
    already is known by its stamp.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._last = b""
        self._thread: threading.Thread | None = None

    def begin(self, fd: int) -> None:
        """Copy from now on into a file descriptor, which is closed at the end of the container's run."""
        self._thread = threading.Thread(target=self._copy, args=(fd,), name="docker log", daemon=True)
        self._thread.start()

    @property
    def copying(self) -> bool:
        """Return whether a run's output is still being copied."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Wait until all that the last run wrote is in the file, or it takes too long. Blocks."""
        if self._thread is not None:
            self._thread.join(END_LIMIT_S)

    def _copy(self, fd: int) -> None:
        try:
            with suppress(OSError):
                spoken(self._lines, fd)
        except EngineError as error:
            if not is_missing(error):
                os.write(fd, f"--- capsize: nothing more is read from here: {error} ---\n".encode())
        finally:
            os.close(fd)

    def _lines(self, fd: int) -> None:
        since = _second(self._last)
        for entry in self._container.logs(stream=True, follow=True, timestamps=True, since=since):
            stamp, _, line = entry.partition(b" ")
            if stamp > self._last:
                os.write(fd, line)
                self._last = stamp


def _second(stamp: bytes) -> int:
    """Return the second since the epoch in which a line was stamped; 1 for none."""
    from datetime import datetime

    if not stamp:
        return 1
    return int(datetime.fromisoformat(stamp.decode()[:19] + "+00:00").timestamp())
