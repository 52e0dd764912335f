"""What the faults on the database have in common: whose sessions, whose tables, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from capsize.core.errors import HealError, InjectionError, UsageError
from capsize.core.platform import Platform, Queryable

CLIENTS = """
select pid, backend_start::text as began, {what}
from pg_stat_activity
where datname = current_database()
  and backend_type = 'client backend'
  and pid <> pg_backend_pid()
  and split_part(application_name, '/', 1) <> split_part(current_setting('application_name'), '/', 1)
"""
"""Every client but capsize itself: the names of all its connections begin as that of this one does."""

TABLES = """
select c.oid::int8 as oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, c.relname as short
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
order by 2
"""

HELD = "select count(*) as held from pg_locks where relation = $1::int8 and pid = $2::int4 and granted and mode = $3"

END_LIMIT_S = 5.0
LOOK_S = 0.01
PATIENCE_S = 20.0
TABLES_MAX = 50


class Table(msgspec.Struct, frozen=True):
    """A table of the service: its number, its name with the schema, quoted, and its name alone."""

    oid: int
    name: str
    short: str


async def tables(platform: Queryable, wanted: Sequence[str] = ()) -> list[Table]:
    """Return the service's tables, or those that are wanted. Raises UsageError for one that is not there."""
    known = [msgspec.convert(row, Table) for row in await platform.query(TABLES)]
    for name in wanted:
        if not any(name in (table.short, table.name) for table in known):
            names = ", ".join(table.short for table in known) or "none"
            raise UsageError(f"the database has no table {name!r}. Known: {names}")
    chosen = [table for table in known if not wanted or {table.short, table.name} & set(wanted)]
    if len(chosen) > TABLES_MAX:
        raise UsageError(f"{len(chosen)} tables are more than {TABLES_MAX}; name those that are meant")
    return chosen


async def until_held(platform: Queryable, table: Table, pid: int, mode: str, limit_s: float) -> None:
    """Return when a session is seen to hold a lock. Raises InjectionError."""
    for _ in range(max(1, int(limit_s / LOOK_S))):
        if (await platform.query(HELD, table.oid, pid, mode))[0]["held"]:
            return
        await asyncio.sleep(LOOK_S)
    raise InjectionError(f"{table.name} could not be locked within {limit_s:g} s")


async def end_clients(platform: Queryable) -> int:
    """End every connection of the service, and return how many when they are gone. Raises InjectionError."""
    told = await platform.query(CLIENTS.format(what="pg_terminate_backend(pid) as told"))
    ended = {(row["pid"], row["began"]) for row in told if row["told"]}
    for _ in range(int(END_LIMIT_S / LOOK_S)):
        if not ended:
            return 0
        left = await platform.query(CLIENTS.format(what="state"))
        if not ended & {(row["pid"], row["began"]) for row in left}:
            return len(ended)
        await asyncio.sleep(LOOK_S)
    raise InjectionError(f"connections were still there {END_LIMIT_S:g} s after they were told to end")


async def patiently(platform: Queryable, sql: str, *args: object) -> list[dict[str, Any]]:
    """Run a statement that heals, also when the database is just coming back. Raises HealError."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await platform.query(sql, *args)
        except InjectionError as error:
            if asyncio.get_running_loop().time() >= end:
                raise HealError(f"the database does not answer: {error}") from error
            await asyncio.sleep(LOOK_S * 10)


def must_be_database(platform: Platform, victims: Sequence[str]) -> None:
    """Raise UsageError when a victim is surely not the database: what follows would hit the wrong one."""
    port = urlsplit(platform.database_url).port
    bases = [instance.name for instance in platform.instances() if instance.port == port]
    wrong = sorted(set(victims) - set(bases))
    if bases and wrong:
        raise UsageError(f"{', '.join(wrong)} is not the database; this fault is for {', '.join(bases)}")
