"""Limits the rate."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Chunk, Holding, Piece, Stage
from capsize.proxy.toxics.base import Count, Toxic

SLICE_MS = 100


class Throttle(Holding):
    """Sends pieces of at most a tenth of a second's worth, each after its own time on the wire."""

    _free_at = 0.0
    _rate = 0

    def feed(self, data: bytes) -> None:
        """Count and queue."""
        self.hit()
        super().feed(data)

    def piece(self, first: Chunk, now: float) -> Piece:
        """Tell when the line has carried the next piece."""
        toxic: Bandwidth = self.toxic
        if self._rate != toxic.rate:
            # What the old rate had booked does not count any more.
            self._rate, self._free_at = toxic.rate, now
        if toxic.rate == 0:
            return Piece(0, float("inf"))
        size = min(len(first.data), toxic.rate * SLICE_MS)
        return Piece(size, max(self._free_at, first.arrived) + size / (toxic.rate * 1000))

    def sent(self, first: Chunk, size: int, now: float) -> None:
        """Book the time that the piece took by the rate, so that late timers do not lower it."""
        self._free_at = max(self._free_at, first.arrived) + size / (self._rate * 1000)


class Bandwidth(Toxic, frozen=True, kw_only=True):
    """Lets at most ``rate`` KB (1,000 bytes) per second through. 0 lets nothing through and loses nothing."""

    name: ClassVar[str] = "bandwidth"
    works: ClassVar[type[Stage]] = Throttle

    rate: Count = 0
