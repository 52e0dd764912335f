"""A database that throws its clients out, as at a failover or when an administrator cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import Queryable

CLIENTS = """
select pid, backend_start::text as began, {what}
from pg_stat_activity
where datname = current_database()
  and backend_type = 'client backend'
  and pid <> pg_backend_pid()
  and application_name <> current_setting('application_name')
"""
"""Every client but capsize itself: all connections of capsize bear the name that this one bears."""

LIMIT_S = 5.0
LOOK_S = 0.01


class TerminateConnections(msgspec.Struct, frozen=True, kw_only=True):
    """Ends every connection of the service to its database; the database stays up.

    The victims name the database's instance, for the record; there is one database per platform.
    """

    name: ClassVar[str] = "terminate_connections"
    requires: ClassVar[tuple[type, ...]] = (Queryable,)

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """End them and return when they are gone. Raises Missed when there was none."""
        told = await platform.query(CLIENTS.format(what="pg_terminate_backend(pid) as told"))
        ended = {(row["pid"], row["began"]) for row in told if row["told"]}
        if not ended:
            raise Missed("the service had no connection to its database")
        for _ in range(int(LIMIT_S / LOOK_S)):
            left = await platform.query(CLIENTS.format(what="state"))
            if not ended & {(row["pid"], row["began"]) for row in left}:
                return
            await asyncio.sleep(LOOK_S)
        raise InjectionError(f"connections were still there {LIMIT_S:g} s after they were told to end")

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Do nothing: connecting again is what the service has to show."""
