"""A restart of the database by an operator who does not ask who is in the middle of something."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.core.errors import Missed
from capsize.core.platform import Queryable, Startable
from capsize.core.sessions import Connectable
from capsize.faults.database import CLIENTS, LOOK_S, must_be_database, tables
from capsize.faults.victims import bring_back, hit, present


class RestartUnderLoad(msgspec.Struct, frozen=True, kw_only=True):
    """Shuts the database down ("fast") while statements of the service run; healing starts it, at once if not held.

    So that they surely run, its tables are locked for the moment before: at least ``statements`` wait then
    when it goes down, and are cut off in the middle.
    """

    name: ClassVar[str] = "restart_under_load"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable, Startable)
    aim: ClassVar[Literal["database"]] = "database"

    statements: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    wait_s: Annotated[float, msgspec.Meta(gt=0, le=20)] = 10.0

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Shut it down and return when it is gone. Raises Missed when too few statements came in time."""
        must_be_database(platform, victims)
        if not any(instance.pid is not None for instance in present(platform, victims)):
            raise Missed(f"{', '.join(victims)} was not running")
        for table in await tables(platform):
            session = await platform.connect(self.name)
            # Not waited for: a transaction of the service's may hold this table and wait for one that is ours already.
            session.start(f"begin; lock table {table.name} in access exclusive mode")
        running = await self._running(platform)
        if running < self.statements:
            raise Missed(
                f"{running} statements of the service were running, and {self.statements} were wanted"
            )
        await hit(platform, victims, platform.stop)
        return f"{running} statements were running"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Start it and return when it is ready."""
        try:
            await platform.disconnect(self.name)
        finally:
            await bring_back(platform, victims)

    async def _running(self, platform: Queryable) -> int:
        """Return how many of the service's statements wait for a lock, as soon as there are enough of them."""
        running = 0
        for _ in range(max(1, int(self.wait_s / LOOK_S))):
            clients = await platform.query(CLIENTS.format(what="wait_event_type as waits"))
            running = sum(client["waits"] == "Lock" for client in clients)
            if running >= self.statements:
                break
            await asyncio.sleep(LOOK_S)
        return running
