"""A freeze: there, holding everything that it holds, and doing nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.errors import InjectionError
from capsize.core.platform import Pausable
from capsize.faults.victims import heal_each, hit_each, present


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Freezes the victims with SIGSTOP until they are healed: connections stay open and nobody answers."""

    name: ClassVar[str] = "pause"
    requires: ClassVar[tuple[type, ...]] = (Pausable,)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Freeze them and return when they stand still. Raises Missed when none was running."""
        names = [instance.name for instance in present(platform, victims)]
        frozen = await hit_each(names, platform.pause)
        moving = [i.name for i in present(platform, names) if i.name in frozen and i.ready]
        if moving:
            raise InjectionError(f"{', '.join(moving)} goes on")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Let them go on and return when they do."""
        await heal_each([instance.name for instance in present(platform, victims)], platform.resume)
