"""Delays the end."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Count, Toxic


class LateEnd(Stage):
    """Keeps the half-close for a while."""

    _waiting = False

    def eof(self) -> None:
        """Keep it."""
        self.hit()
        self._waiting = True
        self.changed()

    def changed(self) -> None:
        """Count the delay anew."""
        if self._waiting:
            self.after(self.toxic.delay / 1000, self.end)

    def end(self) -> None:
        """Pass it on."""
        self.cancel()
        if self._waiting:
            self._waiting = False
            self.send_eof()


class SlowClose(Toxic, frozen=True, kw_only=True):
    """Passes the end of the stream on ``delay`` milliseconds late."""

    name: ClassVar[str] = "slow_close"
    works: ClassVar[type[Stage]] = LateEnd

    delay: Count = 0
