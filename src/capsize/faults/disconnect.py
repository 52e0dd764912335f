"""A pulled cable: the instance runs on, and is alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.errors import InjectionError
from capsize.core.platform import Detachable
from capsize.faults.victims import heal_each, hit_each, present


class Disconnect(msgspec.Struct, frozen=True, kw_only=True):
    """Takes the victims off the network until they are healed: connections hang, new ones fail, processes go on."""

    name: ClassVar[str] = "disconnect"
    requires: ClassVar[tuple[type, ...]] = (Detachable,)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Take them off and return when they are. Raises Missed when none was running."""
        names = [instance.name for instance in present(platform, victims)]
        off = await hit_each(names, platform.detach)
        reachable = [i.name for i in present(platform, names) if i.name in off and i.ready]
        if reachable:
            raise InjectionError(f"{', '.join(reachable)} is still reached")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Put them back and return when they are."""
        await heal_each([instance.name for instance in present(platform, victims)], platform.attach)
