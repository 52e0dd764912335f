"""A database that is killed while it writes a checkpoint: half of its pages new, half of them old."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import Killable, Queryable, Startable
from capsize.core.sessions import Connectable
from capsize.faults.database import must_be_database
from capsize.faults.victims import bring_back, hit, present

TRIES_MAX = 5
PAGES_EACH = 20
LOOKS_MAX = 500
LOOK_S = 0.01

DIRT = """
do $$ begin
  for i in 1..{count} loop
    execute format('create temp table capsize_dirt_%s (a int primary key, b text)', i);
  end loop;
end $$
"""
"""Changes pages of the catalogue, which a checkpoint has to write; rolled back, so that nothing is there to be seen."""

WRITING = """
select count(*) as writing from pg_stat_activity
where backend_type = 'checkpointer' and wait_event = 'CheckpointWriteDelay'
"""


class CrashInCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Kills the database with SIGKILL in the middle of a checkpoint, and its restart has to recover from that.

    The checkpoint is that of a base backup, which the server spreads over time as it does its own; it is seen
    between two of its writes before the blow.
    """

    name: ClassVar[str] = "crash_in_checkpoint"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable, Killable, Startable)
    aim: ClassVar[Literal["database"]] = "database"

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Begin a checkpoint, kill, and return when the processes are gone. Raises Missed when it was down."""
        must_be_database(platform, victims)
        if not any(instance.pid is not None for instance in present(platform, victims)):
            raise Missed(f"{', '.join(victims)} was not running")
        for number in range(1, TRIES_MAX + 1):
            backup = await self._begin(platform, number * PAGES_EACH)
            if await _seen(platform, backup):
                break
            await platform.disconnect(self.name)
        else:
            raise InjectionError(f"{TRIES_MAX} checkpoints were over before they could be seen")
        await hit(platform, victims, platform.kill)
        await asyncio.wait({backup}, timeout=LOOKS_MAX * LOOK_S)
        if not backup.done() or backup.cancelled() or backup.exception() is None:
            raise InjectionError("the checkpoint was over before the database was killed")
        return "the checkpointer was between two writes"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Wait until the database is ready again; one that was given up is started."""
        try:
            await bring_back(platform, victims)
        finally:
            await platform.disconnect(self.name)

    async def _begin(self, platform: Any, tables: int) -> asyncio.Future[None]:
        """Have something to write, ask for a checkpoint, and return what is done when it is."""
        session = await platform.connect(self.name)
        await session.run("begin")
        await session.run(DIRT.format(count=tables), limit_s=10.0)
        await session.run("rollback")
        begun: asyncio.Future[None] = session.start("select pg_backup_start('capsize', fast => false)")
        return begun


async def _seen(platform: Queryable, backup: asyncio.Future[None]) -> bool:
    """Return whether the checkpointer was seen in the middle of its work before that was over."""
    for _ in range(LOOKS_MAX):
        if (await platform.query(WRITING))[0]["writing"]:
            return True
        if backup.done():
            return False
        await asyncio.sleep(LOOK_S)
    return False
