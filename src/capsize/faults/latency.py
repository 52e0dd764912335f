"""A slow network."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.faults.connections import OnBytes, Toxic, to_victim

Millis = Annotated[int, msgspec.Meta(ge=0, le=60_000)]


class Latency(OnBytes, frozen=True, kw_only=True):
    """Delays what the victims receive from ``peer`` by ``latency_ms`` plus or minus up to ``jitter_ms``, in order.

    One direction is enough: a round trip takes that much longer. Connections that are open are slow at once.
    """

    name: ClassVar[str] = "latency"

    latency_ms: Millis = 100
    jitter_ms: Millis = 0

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return one toxic on what comes in."""
        return [
            ("latency", to_victim(outgoing), {"latency": self.latency_ms, "jitter": self.jitter_ms}),
        ]
