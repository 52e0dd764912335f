"""No space left on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.platform import DiskFillable, Preparation
from capsize.faults.told import have_back, mend_each, strike_each


class DiskFull(msgspec.Struct, frozen=True, kw_only=True):
    """Leaves no room on the disk that holds the victims' data, until it is healed: what would grow fails with ENOSPC.

    Room that a file has already can be written again, as on a real disk. The service is started on a disk of
    ours for it: FUSE (mfusepy and libfuse), or as root a small file system in memory.
    """

    name: ClassVar[str] = "disk_full"
    requires: ClassVar[tuple[type, ...]] = (DiskFillable,)
    prepares: ClassVar[Preparation] = "disk"

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Fill the disks and return when a file of ours finds no room. Raises Missed and InjectionError."""
        return await strike_each(platform, victims, platform.fill_disk)

    async def heal(self, platform: Any, victims: Sequence[str]) -> str:
        """Make room, see that there is, and have up again what ended of it."""
        told = await mend_each(platform, victims, platform.mend_disk)
        await have_back(platform, victims)
        return told
