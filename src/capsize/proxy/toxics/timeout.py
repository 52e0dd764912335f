"""Lets nothing through and then closes."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Count, Toxic


class Silence(Stage):
    """Drops everything; closes after the time from the toxic's first moment on this connection."""

    _began = 0.0

    def begin(self) -> None:
        """Start the clock; a later chunk does not start it again."""
        self._began = self.flow.loop.time()
        self.changed()

    def changed(self) -> None:
        """Count the rest of a changed time; 0 never closes."""
        self.cancel()
        if self.toxic.timeout:
            self.after(self._began + self.toxic.timeout / 1000 - self.flow.loop.time(), self.end)

    def feed(self, data: bytes) -> None:
        """Drop it."""
        self.hit()

    def eof(self) -> None:
        """Close when the source ends and nothing would come any more."""
        if not self.toxic.timeout:
            self.end()

    def end(self) -> None:
        """Close: bytes are missing, so the stream can't go on."""
        self.cancel()
        self.hit()
        self.flow.link.close()


class Timeout(Toxic, frozen=True, kw_only=True):
    """Drops all data and closes the connection after ``timeout`` milliseconds, or on removal. 0: only on removal."""

    name: ClassVar[str] = "timeout"
    works: ClassVar[type[Stage]] = Silence

    timeout: Count = 0
