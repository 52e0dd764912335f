"""A database that throws its clients out, as at a failover or when an administrator cleans up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from capsize.core.errors import Missed
from capsize.core.platform import Queryable
from capsize.faults.database import end_clients


class TerminateConnections(msgspec.Struct, frozen=True, kw_only=True):
    """Ends every connection of the service to its database; the database stays up.

    The victims name the database's instance, for the record; there is one database per platform.
    """

    name: ClassVar[str] = "terminate_connections"
    requires: ClassVar[tuple[type, ...]] = (Queryable,)
    aim: ClassVar[Literal["database"]] = "database"

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """End them and return when they are gone. Raises Missed when there was none."""
        if not await end_clients(platform):
            raise Missed("the service had no connection to its database")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Do nothing: connecting again is what the service has to show."""
