"""What a toxic is: its configuration, and the stage that works by it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from capsize.proxy.stage import Stage

if TYPE_CHECKING:
    from capsize.proxy.attached import Attached
    from capsize.proxy.flow import Flow

# A day and a half in microseconds, over a year in milliseconds: larger ones are mistakes, and overflow timers.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**37)]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0, le=31_536_000.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=31_536_000.0)]


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a toxic; its fields are the ``attributes`` of the API.

    Unknown attributes are ignored in Toxiproxy's toxics, as Toxiproxy does, and refused in ours.
    """

    name: ClassVar[str]
    works: ClassVar[type[Stage]]

    def stage(self, flow: Flow, attached: Attached, draw: random.Random) -> Stage:
        """Return what works by this configuration on one direction of one connection."""
        return self.works(flow, attached, draw)
