"""A database that answers everything, and late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.core.errors import Missed
from capsize.core.platform import Queryable
from capsize.core.sessions import Connectable
from capsize.faults.database import tables, until_held

LONGEST_S = 3600.0
TAKE_LIMIT_S = 10.0

LOOP = """
do $$ begin
  for i in 1..{rounds} loop
    lock table {table} in access exclusive mode;
    perform pg_sleep({delay_s});
    commit;
  end loop;
end $$
"""


class SlowQueries(msgspec.Struct, frozen=True, kw_only=True):
    """Makes every statement on some tables, or on all, wait up to ``delay_s``, half of it on average.

    By means of the server, without a proxy: a session for each table locks it for ``delay_s``, lets those pass
    that have come meanwhile, and locks it again. A transaction waits once for each table that it uses.
    """

    name: ClassVar[str] = "slow_queries"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable)
    aim: ClassVar[Literal["database"]] = "database"

    delay_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.5
    tables: tuple[str, ...] = ()

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Begin, and return when every table was seen to be locked. Raises Missed when there is no table."""
        found = await tables(platform, self.tables)
        if not found:
            raise Missed("the service has no table")
        rounds = max(1, int(LONGEST_S / self.delay_s))
        # One session for each table: who holds one lock and waits for none is part of no deadlock.
        for table in found:
            session = await platform.connect(self.name)
            session.start(LOOP.format(rounds=rounds, table=table.name, delay_s=self.delay_s))
            await until_held(platform, table, session.pid, "AccessExclusiveLock", TAKE_LIMIT_S)
        return f"waits of up to {self.delay_s:g} s on {', '.join(table.short for table in found)}"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """End the sessions; what waits goes on at once. So does the end of capsize, after a quarter of a second."""
        await platform.disconnect(self.name)
