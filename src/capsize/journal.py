"""The journal: a history as JSON lines, appended and handed to the kernel as it happens."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from capsize.core.errors import HistoryError
from capsize.core.events import AnyEvent, Event
from capsize.core.history import History

END_BYTES = 1 << 16
"""No event is longer than this; the last one is looked for in so many bytes."""

_decoder = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()


class Journal:
    """Appends events to ``history.jsonl``.

    Each event is one ``write`` system call on an O_APPEND descriptor, with no buffer in this process: what
    was recorded survives a SIGKILL of capsize. ``sync`` also puts it on the disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def record(self, event: Event) -> None:
        """Append one event. An event that comes after ``close`` is dropped: the history is over."""
        if self._fd >= 0:
            os.write(self._fd, _encoder.encode(event) + b"\n")

    def sync(self) -> None:
        """Force what was written to the disk."""
        if self._fd >= 0:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(path: Path) -> History:
    """Read a history back, as far as it was written.

    A last line that was cut off is left out and marks the history as truncated. Raises
    :class:`HistoryError` when there is no file, or when a line before the last can't be read.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise HistoryError(f"no history at {path}: {error.strerror}") from error
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_decoder.decode(line))
        except msgspec.DecodeError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                return History(events, truncated=True)
            raise HistoryError(f"{path}, line {number}: not an event: {error}") from error
    return History(events)


def read_end(path: Path) -> History:
    """Read only the last whole event of a history: enough to tell how and when it ended.

    Raises :class:`HistoryError` when there is no file, or when its last line is no event.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - END_BYTES))
            lines = file.read().split(b"\n")
    except OSError as error:
        raise HistoryError(f"no history at {path}: {error.strerror}") from error
    # What stands behind the last line break was cut off while it was written.
    whole = [line for line in lines[:-1] if line]
    try:
        return History([_decoder.decode(line) for line in whole[-1:]], truncated=bool(lines[-1]))
    except msgspec.DecodeError as error:
        raise HistoryError(f"{path}, the last line: not an event: {error}") from error
