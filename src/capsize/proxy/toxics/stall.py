"""Stalls now and then, as TCP does on a lossy network."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Chunk, Holding, Piece, Stage
from capsize.proxy.toxics.base import Positive, Probability, Toxic

DOUBLINGS_MAX = 6


class Stalling(Holding):
    """Holds a chunk that was drawn as lost until its retransmission would have come."""

    _counted: Chunk | None = None

    def piece(self, first: Chunk, now: float) -> Piece:
        """Let the chunk go at once, or after its retransmissions; what came behind it waits too."""
        toxic: Stall = self.toxic
        losses = _losses(first.drawn, toxic.probability)
        if losses and first is not self._counted:
            self._counted = first
            self.hit()
        # The first wait is one time-out, each further one twice as long as the one before.
        return Piece(len(first.data), first.arrived + toxic.hold_s * (2**losses - 1))


def _losses(drawn: float, probability: float) -> int:
    """Return how many times in a row a chunk was lost: one draw, read as a geometric one."""
    losses = 0
    while losses < DOUBLINGS_MAX and drawn < probability ** (losses + 1):
        losses += 1
    return max(1, losses) if probability == 1.0 else losses


class Stall(Toxic, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds each chunk with ``probability`` for ``hold_s`` seconds (doubled for each further loss of the same chunk).

    This is what an application sees of packet loss: no byte is lost, but the stream stands still for
    a retransmission time-out. The default is Linux' shortest.
    """

    name: ClassVar[str] = "stall"
    works: ClassVar[type[Stage]] = Stalling

    probability: Probability = 0.01
    hold_s: Positive = 0.2
