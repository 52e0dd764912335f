"""A restart by an operator: stopped gracefully, and started again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.platform import Startable
from capsize.faults.victims import bring_back, hit


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """Stops the victims gracefully; healing starts them, at once when the strike is not held.

    The restart policy has no part in it, so there is no delay before the start.
    """

    name: ClassVar[str] = "restart"
    requires: ClassVar[tuple[type, ...]] = (Startable,)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Stop them and return when their processes are gone. Raises Missed when none was running."""
        await hit(platform, victims, platform.stop)

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Start them and return when they are ready."""
        await bring_back(platform, victims)
