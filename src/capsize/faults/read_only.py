"""A database that takes no writes, as a standby does that the service was failed over to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import msgspec

from capsize.core.errors import HealError, InjectionError, Missed
from capsize.core.platform import Queryable
from capsize.core.sessions import Connectable, Refused
from capsize.faults.database import end_clients, patiently

REFUSED = "25006"

SETTINGS = """
select setting from pg_db_role_setting s
  join pg_roles r on r.oid = s.setrole join pg_database d on d.oid = s.setdatabase,
  unnest(s.setconfig) as setting
where r.rolname = $1 and d.datname = current_database()
"""
ALTER = """
select format('alter role %I in database %I {verb} {setting}', $1::text, current_database()) as sql
"""
MARK = "capsize.read_only"
"""Set beside the setting itself, so that one which was there before is not taken for ours and removed."""


class ReadOnly(msgspec.Struct, frozen=True, kw_only=True):
    """Cuts the service off its database and lets it back in for reading only: a failover to a standby.

    Every write is refused with 25006. Made by a setting of the service's user in its database, which nobody
    else feels. With ``linger`` the connections that were made meanwhile stay as they are, read-only, when it
    is healed, as those to a server that was demoted do: a service that keeps them has not healed.
    """

    name: ClassVar[str] = "read_only"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable)
    aim: ClassVar[Literal["database"]] = "database"

    linger: bool = False

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Set it, end all connections, and return when a write as the service's user is refused.

        Raises Missed when the user could only read before.
        """
        user = _user(platform)
        if any(
            line.startswith("default_transaction_read_only=on") for line in await _settings(platform, user)
        ):
            raise Missed(f"{user!r} could not write before either")
        await _alter(platform, user, "set", f"{MARK} = on")
        await _alter(platform, user, "set", "default_transaction_read_only = on")
        ended = await end_clients(platform)
        await self._see_refused(platform)
        return f"{ended} connections ended; writes by {user!r} are refused with {REFUSED}"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Take the setting back and, unless they are to linger, end the connections that were made with it."""
        user = _user(platform)
        if not any(line.startswith(f"{MARK}=") for line in await _settings(platform, user)):
            return
        await _alter(platform, user, "reset", "default_transaction_read_only")
        if not self.linger:
            try:
                await end_clients(platform)
            except InjectionError as error:
                raise HealError(f"connections that can only read are left: {error}") from error
        # Last: a healing that was cut short is begun again by whoever finds the mark.
        await _alter(platform, user, "reset", MARK)

    async def _see_refused(self, platform: Any) -> None:
        session = await platform.connect(self.name, as_service=True)
        try:
            await session.run("begin")
            await session.run("create table capsize_can_write ()")
        except Refused as refused:
            if refused.sqlstate != REFUSED:
                raise
        else:
            raise InjectionError("the service's user can write all the same")
        finally:
            await platform.disconnect(self.name)


async def _settings(platform: Queryable, user: str) -> list[str]:
    return [row["setting"] for row in await patiently(platform, SETTINGS, user)]


async def _alter(platform: Queryable, user: str, verb: str, setting: str) -> None:
    # Utility statements take no arguments: the server quotes the names for us.
    (made,) = await patiently(platform, ALTER.format(verb=verb, setting=setting), user)
    await patiently(platform, made["sql"])


def _user(platform: Any) -> str:
    user: str | None = urlsplit(platform.database_url).username
    if not user:
        raise InjectionError("the database's address names no user")
    return user
