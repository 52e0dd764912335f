"""Closes after a number of bytes."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Count, Toxic


class Limit(Stage):
    """Counts, and closes when the count is reached."""

    _passed = 0
    _closed = False

    def feed(self, data: bytes) -> None:
        """Pass on what is left of the limit."""
        if self._closed:
            return
        part = data[: max(0, self.toxic.bytes - self._passed)]
        self._passed += len(part)
        if part:
            self.send(part)
        self._close_when_full()

    def changed(self) -> None:
        """Close when a lowered limit has been passed already."""
        if self._passed:
            self._close_when_full()

    def eof(self) -> None:
        """Pass it on unless the end was sent already."""
        if not self._closed:
            self.send_eof()

    def _close_when_full(self) -> None:
        if self._passed >= self.toxic.bytes and not self._closed:
            self._closed = True
            self.hit()
            # Stages after this one may hold the last bytes: they get them out, then the close.
            self.flow.close_after()
            self.send_eof()


class LimitData(Toxic, frozen=True, kw_only=True):
    """Closes the connection when ``bytes`` have gone through; the byte count begins with the toxic."""

    name: ClassVar[str] = "limit_data"
    works: ClassVar[type[Stage]] = Limit

    bytes: Count = 0
