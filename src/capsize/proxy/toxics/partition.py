"""Cuts one direction; what was sent meanwhile arrives when it heals."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Chunk, Holding, Piece, Stage
from capsize.proxy.toxics.base import Toxic


class Cutoff(Holding):
    """Holds everything, the end and the reset too, until the toxic is removed."""

    _reset = False

    def feed(self, data: bytes) -> None:
        """Count and hold."""
        self.hit()
        super().feed(data)

    def piece(self, first: Chunk, now: float) -> Piece:
        """Let nothing go."""
        return Piece(0, float("inf"))

    def eof(self) -> None:
        """Hold the half-close, also behind nothing."""
        self._ended = True

    def lost(self) -> None:
        """Hold the reset: the other side does not hear of it yet."""
        self._reset = True

    def end(self) -> None:
        """Pass everything on in order; a reset instead of it."""
        if self._reset:
            self.stop()
            self.send_lost()
        else:
            super().end()


class Partition(Toxic, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lets nothing through in its direction until it is removed, as a broken network does to TCP.

    Nothing is lost: what fits is held, then reading stops and the sender's window fills. The other
    direction goes on; for both, add one toxic to each.
    """

    name: ClassVar[str] = "partition"
    works: ClassVar[type[Stage]] = Cutoff
