"""A disk that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import DiskBreakable, DiskOperation, Preparation
from capsize.faults.told import have_back, mend_each, strike_each


class DiskError(msgspec.Struct, frozen=True, kw_only=True):
    """Fails ``operations`` (read, write, sync) on the disk that holds the victims' data with EIO, until it is healed.

    When reads are to fail, what the kernel remembered of the files is dropped, so that they reach the disk. The service is started on a
    disk of ours for it, by FUSE (mfusepy and libfuse).
    """

    name: ClassVar[str] = "disk_error"
    requires: ClassVar[tuple[type, ...]] = (DiskBreakable,)
    prepares: ClassVar[Preparation] = "disk"

    operations: Annotated[tuple[DiskOperation, ...], msgspec.Meta(min_length=1, max_length=3)] = (
        "write",
        "sync",
    )

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Let them fail and return when ours did. Raises Missed and InjectionError."""
        return await strike_each(
            platform, victims, lambda name: platform.break_disk(name, tuple(self.operations))
        )

    async def heal(self, platform: Any, victims: Sequence[str]) -> str:
        """Have the disks well, see that they are, and have up again what ended of it."""
        told = await mend_each(platform, victims, platform.mend_disk)
        await have_back(platform, victims)
        return told
