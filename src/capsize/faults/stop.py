"""An outage: down, and down it stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.errors import InjectionError
from capsize.core.platform import Startable
from capsize.faults.victims import bring_back, hit, present


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Takes the victims down until they are healed: gracefully, or with SIGKILL when ``hard``."""

    name: ClassVar[str] = "stop"
    requires: ClassVar[tuple[type, ...]] = (Startable,)

    hard: bool = False

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Take them down and return when they are gone. Raises Missed when none was running."""

        async def down(name: str) -> None:
            await platform.stop(name, hard=self.hard)

        await hit(platform, victims, down)
        up = [instance.name for instance in present(platform, victims) if instance.pid is not None]
        if up:
            raise InjectionError(f"{', '.join(up)} did not stay down")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Start them and return when they are ready."""
        await bring_back(platform, victims)
