"""A wall clock that jumps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import ClockSkewable, Preparation
from capsize.faults.told import mend_each, strike_each

YEAR_S = 366 * 86400


class ClockSkew(msgspec.Struct, frozen=True, kw_only=True):
    """Moves the wall clock of the victims by ``offset_s``, forward or back, until it is healed.

    Their restarts have it too; the monotonic clock and everybody else's stay right. The service is started with
    libfaketime for it (the package of that name): programs that are linked statically don't feel it.
    """

    name: ClassVar[str] = "clock_skew"
    requires: ClassVar[tuple[type, ...]] = (ClockSkewable,)
    prepares: ClassVar[Preparation] = "clock"

    offset_s: Annotated[float, msgspec.Meta(ge=-YEAR_S, le=YEAR_S)]

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Move them and return when the time was seen to be off. Raises Missed and InjectionError."""
        return await strike_each(platform, victims, lambda name: platform.skew_clock(name, self.offset_s))

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Have them right and return when they were seen to be."""
        await mend_each(platform, victims, platform.right_clock)
