"""Resets the connection."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Count, Toxic


class Reset(Stage):
    """Swallows from the first data on and resets both sides after the time."""

    _due: float | None = None

    def begin(self) -> None:
        """Start the clock here when no data is to be waited for."""
        if self.toxic.idle:
            self._start()

    def feed(self, data: bytes) -> None:
        """Swallow it; the first one starts the clock."""
        self._start()

    def lost(self) -> None:
        """Pass a reset on, sooner than ours."""
        self.cancel()
        self.send_lost()

    def changed(self) -> None:
        """Count the rest of a changed time."""
        if self._due is not None or self.toxic.idle:
            self._due = None
            self._start()

    def end(self) -> None:
        """Reset now if bytes are missing already; else leave the connection as it is."""
        self.cancel()
        if self._due is not None:
            self._reset()

    def _start(self) -> None:
        if self._due is None:
            self._due = self.flow.loop.time() + self.toxic.timeout / 1000
            if self.toxic.timeout:
                self.after(self.toxic.timeout / 1000, self._reset)
            else:
                self._reset()

    def _reset(self) -> None:
        self.hit()
        self.flow.link.abort(reset=True)


class ResetPeer(Toxic, frozen=True, kw_only=True):
    """Sends both sides an RST ``timeout`` milliseconds after the first data in its direction, which is lost.

    ``idle`` (ours) does not wait for data: it resets that long after the connection or the toxic began.
    """

    name: ClassVar[str] = "reset_peer"
    works: ClassVar[type[Stage]] = Reset

    timeout: Count = 0
    idle: bool = False
