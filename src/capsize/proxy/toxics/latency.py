"""Delays everything."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Chunk, Holding, Piece, Stage
from capsize.proxy.toxics.base import Count, Toxic

HELD_BYTES_MAX = 8 * 1024 * 1024


class Delay(Holding):
    """Keeps each chunk for its time; what came meanwhile waits at the same time, so the rate stays."""

    held_max = HELD_BYTES_MAX

    def feed(self, data: bytes) -> None:
        """Count and queue."""
        self.hit()
        super().feed(data)

    def piece(self, first: Chunk, now: float) -> Piece:
        """Release the chunk when it is old enough."""
        toxic: Latency = self.toxic
        delay_ms = toxic.latency + (2 * first.drawn - 1) * toxic.jitter
        return Piece(len(first.data), first.arrived + max(0.0, delay_ms) / 1000)


class Latency(Toxic, frozen=True, kw_only=True):
    """Delays each chunk by ``latency`` plus or minus up to ``jitter``, both in milliseconds. Order is kept."""

    name: ClassVar[str] = "latency"
    works: ClassVar[type[Stage]] = Delay

    latency: Count = 0
    jitter: Count = 0
