"""A database without a free connection, as another application that leaks them leaves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import Queryable
from capsize.core.sessions import Connectable, Refused
from capsize.faults.database import CLIENTS

FULL = "53300"
AT_ONCE = 8
HELD_MAX = 1000
REFUSALS = 3
BETWEEN_S = 0.01
EVICT_LIMIT_S = 15.0


class ExhaustConnections(msgspec.Struct, frozen=True, kw_only=True):
    """Takes every connection that the database has for the service's user, until it is healed.

    Whoever connects is refused with 53300. With ``evict`` the connections that the service has are ended and
    taken too; without it the service keeps them and can open no more. Connections that are reserved for the
    superuser stay free.
    """

    name: ClassVar[str] = "exhaust_connections"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable)
    aim: ClassVar[Literal["database"]] = "database"

    evict: bool = True

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Take them and return when a connection as the service's user was refused. Raises Missed when all were taken."""
        reserved = await platform.query("show superuser_reserved_connections")
        if reserved[0]["superuser_reserved_connections"] == "0":
            raise InjectionError(
                "no connection is reserved for the superuser: nobody could look, or heal by hand"
            )
        held = await _fill(platform, self.name)
        if not held:
            raise Missed("every connection was taken already")
        if self.evict:
            held += await _take_over(platform, self.name)
        left = 0 if self.evict else len(await platform.query(CLIENTS.format(what="state")))
        return f"{held} connections held, {left} left to the service"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Give all of them back; so does the end of capsize, whatever it is."""
        await platform.disconnect(self.name)


async def _take_over(platform: Any, label: str) -> int:
    """End the service's connections and take what becomes free, until it has none; return how many were taken.

    It connects again at once and gets some back, so that both go on side by side. Raises InjectionError.
    """
    held, end = 0, asyncio.get_running_loop().time() + EVICT_LIMIT_S
    while left := await platform.query(CLIENTS.format(what="pg_terminate_backend(pid) as told")):
        if asyncio.get_running_loop().time() > end:
            raise InjectionError(f"the service still has {len(left)} connections after {EVICT_LIMIT_S:g} s")
        held += (await _try(platform, label, AT_ONCE))[0]
        if not await platform.query(CLIENTS.format(what="state")):
            held += await _fill(platform, label)
    return held


async def _fill(platform: Connectable, label: str) -> int:
    """Open sessions as the service's user until no more are let in, and return how many.

    First side by side; then one by one until several in a row were refused: an attempt that is just being
    refused, and a session that is just ending, take a slot as well and leave it a moment later.
    """
    held, refused, at_once = 0, 0, AT_ONCE
    while refused < REFUSALS:
        if held >= HELD_MAX:
            raise InjectionError(
                f"the database has more than {HELD_MAX} connections; that many are not taken"
            )
        let_in, turned_away = await _try(platform, label, at_once)
        held += let_in
        refused = 0 if let_in else refused + 1
        if turned_away:
            at_once = 1
            await asyncio.sleep(BETWEEN_S)
    return held


async def _try(platform: Connectable, label: str, count: int) -> tuple[int, int]:
    """Open sessions side by side, and return how many were let in and how many refused for want of a slot."""
    tries = [platform.connect(label, as_service=True) for _ in range(count)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if not (isinstance(error, Refused) and error.sqlstate == FULL):
            raise error
    return len(results) - len(errors), len(errors)
