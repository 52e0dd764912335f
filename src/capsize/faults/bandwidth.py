"""A narrow network."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.faults.connections import OnBytes, Toxic


class Bandwidth(OnBytes, frozen=True, kw_only=True):
    """Lets ``rate_kb`` kilobytes (1,000 bytes) a second through between the victims and ``peer``, each way and connection."""

    name: ClassVar[str] = "bandwidth"

    rate_kb: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 16

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return one toxic for each direction."""
        how = {"rate": self.rate_kb}
        return [("bandwidth", "upstream", how), ("bandwidth", "downstream", how)]
