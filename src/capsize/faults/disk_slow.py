"""A slow disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import DiskBreakable, Preparation
from capsize.faults.told import have_back, mend_each, strike_each


class DiskSlow(msgspec.Struct, frozen=True, kw_only=True):
    """Makes each read, write and sync of the victims' data take ``latency_ms``, all together ``kib_per_s``, until healed.

    The service is started on a disk of ours for it, by FUSE (mfusepy and libfuse). What the kernel remembers of
    files is as fast as ever.
    """

    name: ClassVar[str] = "disk_slow"
    requires: ClassVar[tuple[type, ...]] = (DiskBreakable,)
    prepares: ClassVar[Preparation] = "disk"

    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 50.0
    kib_per_s: Annotated[float, msgspec.Meta(ge=1)] | None = None

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Slow them down and return when ours took so long. Raises Missed and InjectionError."""
        rate = None if self.kib_per_s is None else self.kib_per_s * 1024
        return await strike_each(
            platform, victims, lambda name: platform.slow_disk(name, self.latency_ms / 1000, rate)
        )

    async def heal(self, platform: Any, victims: Sequence[str]) -> str:
        """Have the disks as fast as before."""
        told = await mend_each(platform, victims, platform.mend_disk)
        await have_back(platform, victims)
        return told
