"""Cuts data into small pieces."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.proxy.stage import Chunk, Holding, Piece, Stage
from capsize.proxy.toxics.base import Count, Toxic


class Cut(Holding):
    """Sends pieces of about the average size, with a pause after each."""

    _next_at = 0.0
    _size = 0

    def piece(self, first: Chunk, now: float) -> Piece:
        """Draw the size of the next piece once."""
        toxic: Slicer = self.toxic
        if not self._size:
            varied = self.draw.randint(-toxic.size_variation, toxic.size_variation)
            self._size = max(1, toxic.average_size + varied)
        return Piece(min(self._size, len(first.data)), min(self._next_at, now + toxic.delay / 1e6))

    def sent(self, first: Chunk, size: int, now: float) -> None:
        """Begin the pause."""
        self.hit()
        self._size = 0
        self._next_at = now + self.toxic.delay / 1e6

    def changed(self) -> None:
        """Draw a new size."""
        self._size = 0
        super().changed()


class Slicer(Toxic, frozen=True, kw_only=True):
    """Cuts data into pieces of ``average_size`` bytes, give or take ``size_variation``, ``delay`` microseconds apart."""

    name: ClassVar[str] = "slicer"
    works: ClassVar[type[Stage]] = Cut

    average_size: Annotated[int, msgspec.Meta(gt=0, le=2**37)]
    size_variation: Count = 0
    delay: Count = 0

    def __post_init__(self) -> None:
        if self.size_variation >= self.average_size:
            raise ValueError("size_variation must be smaller than average_size")
