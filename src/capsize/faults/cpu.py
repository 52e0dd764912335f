"""Too little computing time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.platform import CpuLimitable
from capsize.faults.told import mend_each, strike_each


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """Leaves each victim ``cores`` of computing time, its restarts too, until it is healed.

    A quota of the kernel where control groups can be made; where not, busy processes beside the victims, which
    slow everything else on the machine down as well. The strike's detail says which it was.
    """

    name: ClassVar[str] = "cpu"
    requires: ClassVar[tuple[type, ...]] = (CpuLimitable,)

    cores: Annotated[float, msgspec.Meta(ge=0.01, le=64)] = 0.1

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Limit them and return by which means, when it is in force. Raises Missed and InjectionError."""
        return await strike_each(platform, victims, lambda name: platform.limit_cpu(name, self.cores))

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Lift the limits and end the busy processes."""
        await mend_each(platform, victims, platform.free_cpu)
