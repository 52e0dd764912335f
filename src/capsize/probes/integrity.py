"""Whether the database itself is whole: its checksums while the run goes on, everything in it at the end."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.errors import CapsizeError
from capsize.core.events import Noted, Sample
from capsize.core.platform import Queryable
from capsize.core.protocols import Stage

LOOK = """
SELECT current_setting('data_checksums') = 'on' AS checksums,
    (SELECT coalesce(sum(checksum_failures), 0)::bigint FROM pg_stat_database) AS checksum_failures
"""
SCHEMA = "capsize_integrity"
"""Where amcheck is put while it is used, beside everything that belongs to the service."""
RELATIONS = """
SELECT c.oid::bigint AS id, c.oid::regclass::text AS name, c.relkind::text AS kind
FROM pg_class c
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_am a ON a.oid = c.relam
WHERE c.relpersistence <> 't'
    AND (c.relkind IN ('r', 'm', 't') OR (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready))
    AND c.relnamespace <> coalesce(to_regnamespace('capsize_integrity'), 0)
ORDER BY c.oid
"""
STILL_THERE = "SELECT oid::bigint FROM pg_class WHERE oid = $1::bigint::oid"
DAMAGED = frozenset({"XX001", "XX002"})
"""The codes with which PostgreSQL says ``data_corrupted`` and ``index_corrupted``."""
TABLES = frozenset({"r", "m"})
"""What can be read as rows: tables and materialized views; what is out of line is read with its row."""
TOLD_MAX = 20

Relation = dict[str, Any]


class IntegrityProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Asks every ``interval_s`` for wrong checksums; at the end, once, reads every table and B-tree index.

    A look is a Sample ``integrity`` with ``checksums`` (whether pages carry them) and ``checksum_failures``
    (since the server's last crash), or an ``error``. The last one has the subject ``whole`` and besides: ``by``
    (``amcheck``, or ``full read`` where that is not to be had: tables only), ``relations`` read, ``damage`` and
    ``unread``, each a list of sentences. What the server still has in memory is read from there and not from the
    disk. On a platform that has no way to the database it leaves one note.
    """

    name: ClassVar[str] = "integrity"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    limit_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    whole_limit_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        platform = stage.platform
        if not isinstance(platform, Queryable):
            message = (
                f"the platform {platform.name!r} has no way to the database: whether it is whole is not seen"
            )
            stage.record(Noted(t=stage.clock.now(), level="info", message=message))
            return
        while True:
            began = stage.clock.now()
            values, error = await self._look(platform)
            now = stage.clock.now()
            stage.record(Sample(t=now, probe=self.name, began=began, values=values, error=error))
            await stage.clock.sleep(max(0.0, began + self.interval_s - now))

    async def conclude(self, stage: Stage) -> None:
        """Read everything."""
        platform = stage.platform
        if not isinstance(platform, Queryable):
            return
        began = stage.clock.now()
        values, error = await self._look(platform)
        if error is None:
            try:
                values |= await _whole(platform, stage, began + self.whole_limit_s)
                # What the reading itself has met is counted only now.
                values |= (await self._look(platform))[0]
            except CapsizeError as failure:
                error = str(failure)
        now = stage.clock.now()
        stage.record(Sample(t=now, probe=self.name, subject="whole", began=began, values=values, error=error))

    async def _look(self, platform: Queryable) -> tuple[dict[str, Any], str | None]:
        """Return what PostgreSQL says of its pages, or why it said nothing."""
        try:
            async with asyncio.timeout(self.limit_s):
                rows = await platform.query(LOOK)
        except TimeoutError:
            return {}, f"no answer within {self.limit_s:g} s"
        except (CapsizeError, OSError) as error:
            return {}, str(error) or type(error).__name__
        return dict(rows[0]), None


async def _whole(platform: Queryable, stage: Stage, until: float) -> dict[str, Any]:
    """Read every relation, by amcheck if the server has it; it is taken away again if it was not there before."""
    schema, ours = await _amcheck(platform)
    read, damage, unread = 0, [], []
    try:
        for relation in await platform.query(RELATIONS):
            if schema is None and relation["kind"] not in TABLES:
                continue
            if stage.clock.now() > until:
                unread.append(f"{relation['name']}: no time was left")
                continue
            try:
                damage += await _read(platform, schema, relation)
                read += 1
            except CapsizeError as error:
                damaged = _code(error) in DAMAGED
                if damaged or await platform.query(STILL_THERE, relation["id"]):
                    (damage if damaged else unread).append(f"{relation['name']}: {error}")
    finally:
        if ours:
            await platform.query(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    by = "full read" if schema is None else "amcheck"
    return {"by": by, "relations": read, "damage": damage[:TOLD_MAX], "unread": unread[:TOLD_MAX]}


async def _amcheck(platform: Queryable) -> tuple[str | None, bool]:
    """Return the schema that holds amcheck, None when it can't be had, and whether we put it there."""
    there = "SELECT quote_ident(n.nspname) AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
    if found := await platform.query(f"{there} WHERE e.extname = 'amcheck'"):
        return str(found[0]["name"]), False
    try:
        await platform.query(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await platform.query(f"CREATE EXTENSION amcheck SCHEMA {SCHEMA}")
    except CapsizeError:
        await platform.query(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        return None, False
    return SCHEMA, True


async def _read(platform: Queryable, schema: str | None, relation: Relation) -> list[str]:
    """Read one relation and return its damages. Raises InjectionError when PostgreSQL gives up on it."""
    name, number = relation["name"], relation["id"]
    if schema is None:
        # Every row as text: its page is read, and what is stored out of line as well.
        await platform.query(f"SELECT count(t::text) FROM {name} AS t")
        return []
    if relation["kind"] == "i":
        await platform.query(f"SELECT {schema}.bt_index_check($1::bigint::oid::regclass, true)", number)
        return []
    found = await platform.query(
        f"SELECT blkno, msg FROM {schema}.verify_heapam($1::bigint::oid::regclass) LIMIT {TOLD_MAX}", number
    )
    return [f"{name}, block {row['blkno']}: {row['msg']}" for row in found]


def _code(error: CapsizeError) -> str:
    """Return PostgreSQL's code of an error, where the platform passes it on."""
    return str(getattr(error.__cause__, "sqlstate", "") or "")
