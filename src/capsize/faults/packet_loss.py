"""A network that loses packets, as an application sees it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.faults.connections import OnBytes, Toxic


class PacketLoss(OnBytes, frozen=True, kw_only=True):
    """Stalls each piece of data between the victims and ``peer``, both ways, with ``probability``.

    TCP loses nothing: what an application sees of a lost packet is a stream that stands still until the
    retransmission, ``hold_s`` later, twice as long for each further loss of the same piece.
    """

    name: ClassVar[str] = "packet_loss"

    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    hold_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.2

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return one toxic for each direction."""
        how = {"probability": self.probability, "hold_s": self.hold_s}
        return [("stall", "upstream", how), ("stall", "downstream", how)]
