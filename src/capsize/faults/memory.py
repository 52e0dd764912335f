"""Out of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import MemoryLimitable
from capsize.faults.told import have_back, mend_each, strike_each


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Has the kernel kill the victims for want of memory; with ``limit_mib`` their restarts get so much until it is healed.

    A real kill in a control group that is full, SIGKILL without a warning, and the restart policy then applies.
    Where no control group can be made nothing is killed: allocations beyond what the victim has are refused
    (RLIMIT_AS), and the strike's detail says so.
    """

    name: ClassVar[str] = "memory"
    requires: ClassVar[tuple[type, ...]] = (MemoryLimitable,)

    limit_mib: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)] | None = None

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Kill them so and return when the kernel has counted it. Raises Missed and InjectionError."""
        limit = None if self.limit_mib is None else self.limit_mib << 20
        return await strike_each(platform, victims, lambda name: platform.starve(name, limit))

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Lift the limits and wait until the victims are ready again."""
        await mend_each(platform, victims, platform.feed)
        await have_back(platform, victims)
