"""Too many open files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import FilesLimitable
from capsize.faults.told import mend_each, strike_each


class Descriptors(msgspec.Struct, frozen=True, kw_only=True):
    """Leaves each process of the victims ``spare`` more file descriptors than it holds, until it is healed.

    Accepting, connecting and opening fail with EMFILE; what is open stays open. The limit of the running processes is
    lowered (RLIMIT_NOFILE by prlimit): one that is started meanwhile has the usual limit.
    """

    name: ClassVar[str] = "descriptors"
    requires: ClassVar[tuple[type, ...]] = (FilesLimitable,)

    spare: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Lower their limits and return when the kernel has them. Raises Missed and InjectionError."""
        return await strike_each(platform, victims, lambda name: platform.limit_files(name, self.spare))

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Give the processes that still run their limits back."""
        await mend_each(platform, victims, platform.free_files)
