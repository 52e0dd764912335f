"""A polite end from outside: SIGTERM, as a deployment or a node that is drained sends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.platform import Killable, Startable
from capsize.faults.victims import bring_back, hit


class Terminate(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the victims to end, kills them after their grace period; their restart policy brings them back.

    PostgreSQL is sent its "fast shutdown": at SIGTERM it would wait for its clients, for ever.
    """

    name: ClassVar[str] = "terminate"
    requires: ClassVar[tuple[type, ...]] = (Killable, Startable)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Ask them and return when their processes are gone."""
        await hit(platform, victims, platform.terminate)

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Wait until they are ready again."""
        await bring_back(platform, victims)
