"""How busy the database is: its connections, its locks, its transactions, seen beside the service."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.errors import CapsizeError
from capsize.core.events import Noted, Sample
from capsize.core.platform import Queryable
from capsize.core.protocols import Stage

LOOK = """
WITH others AS (
    SELECT state, wait_event_type, xact_start FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
)
SELECT
    count(*) AS connections,
    current_setting('max_connections')::integer AS connections_allowed,
    count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting,
    coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8 AS transaction_s,
    (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - waitstart)), 0)::float8
        FROM pg_locks WHERE NOT granted) AS lock_wait_s,
    (SELECT sum(deadlocks)::bigint FROM pg_stat_database) AS deadlocks,
    (SELECT sum(xact_commit)::bigint FROM pg_stat_database) AS commits,
    (SELECT sum(xact_rollback)::bigint FROM pg_stat_database) AS rollbacks
FROM others
"""


class DatabaseLoadProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Looks into PostgreSQL's own statistics every ``interval_s``: one Sample ``database_load`` each.

    Values: ``latency_s`` (of the look itself), ``connections`` and ``connections_allowed``, ``active``
    sessions, sessions ``waiting`` for a lock, ``lock_wait_s`` (the longest at this moment),
    ``transaction_s`` (the oldest open transaction), and counts since the server started: ``deadlocks``,
    ``commits``, ``rollbacks``. A wait that
    begins and ends between two looks is not seen. A look that failed has an
    ``error``. On a platform that has no way to the database it leaves one note and ends.
    """

    name: ClassVar[str] = "database_load"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    limit_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        platform = stage.platform
        if not isinstance(platform, Queryable):
            message = f"the platform {platform.name!r} has no way to the database: its load is not measured"
            stage.record(Noted(t=stage.clock.now(), level="info", message=message))
            return
        begin, slot = stage.clock.now(), 0
        while True:
            began = stage.clock.now()
            values, error = await self._look(platform)
            now = stage.clock.now()
            if error is None:
                values["latency_s"] = round(now - began, 6)
            stage.record(Sample(t=now, probe=self.name, began=began, values=values, error=error))
            slot = max(slot + 1, int((now - begin) / self.interval_s) + 1)
            await stage.clock.sleep(begin + slot * self.interval_s - now)

    async def _look(self, platform: Queryable) -> tuple[dict[str, Any], str | None]:
        """Return what PostgreSQL says of itself, or why it said nothing."""
        try:
            async with asyncio.timeout(self.limit_s):
                rows = await platform.query(LOOK)
        except TimeoutError:
            return {}, f"no answer within {self.limit_s:g} s"
        except (CapsizeError, OSError) as error:
            return {}, str(error) or type(error).__name__
        return {name: round(v, 6) if isinstance(v, float) else v for name, v in rows[0].items()}, None
