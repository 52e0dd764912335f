"""A crash: SIGKILL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.platform import Killable, Startable
from capsize.faults.victims import bring_back, hit


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Ends the victims at once, without a chance to clean up; their restart policy brings them back.

    Healed when they are ready again; one that the supervisor gave up is started.
    """

    name: ClassVar[str] = "kill"
    requires: ClassVar[tuple[type, ...]] = (Killable, Startable)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Kill them and return when their processes are gone."""
        await hit(platform, victims, platform.kill)

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Wait until they are ready again."""
        await bring_back(platform, victims)
