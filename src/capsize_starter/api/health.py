"""How the service is, asked anew each time: an answer from memory would lie exactly when it matters."""

import time
from pathlib import Path

import asyncpg
import msgspec

from capsize_starter.api.services import Services
from capsize_starter.db import Unavailable, load_queries
from capsize_starter.db.migrate import find
from capsize_starter.queue import BreakerView, Stats

SQL = load_queries(Path(__file__).with_name("health.sql"))

EXPECTED = frozenset(number for number, _ in find())


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the service works; `reason` says why not."""

    status: str
    reason: str | None = None


class DatabaseHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The database as this process reaches it. `latency_s` is one round trip, waiting for a connection included."""

    reachable: bool
    latency_s: float | None = None
    pool_size: int
    pool_used: int
    pool_idle: int


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that is connected to the database or holds tasks.

    `seen_s` is how long ago it last said something to the database, null when it is not connected; it speaks
    every few seconds at least. A negative `lease_left_s` means that its tasks are free to be taken over.
    """

    id: str
    connections: int
    seen_s: float | None
    running: int
    lease_left_s: float | None


class QueueHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The queue's depth, and for how long its longest-waiting due task has been due."""

    tasks: Stats
    oldest_due_s: float | None


class Detailed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known; what can't be known while the database is away is null."""

    status: str
    uptime_s: float
    database: DatabaseHealth
    queue: QueueHealth | None = None
    workers: list[WorkerHealth] | None = None
    circuit_breakers: list[BreakerView] | None = None


OK = Health("ok")
AWAY = Health("unavailable", "the database can't be reached")
UNMIGRATED = Health("unavailable", "the database has not been migrated")

_started = time.monotonic()


async def ping(services: Services) -> Health:
    """Whether the database answers."""
    try:
        await services.database.fetchval("SELECT 1", timeout_s=services.settings.health_timeout_s)
    except Unavailable:
        return AWAY
    return OK


async def readiness(services: Services) -> Health:
    """Whether requests can be served: the database answers and has every migration."""
    try:
        rows = await services.database.fetch(SQL.migrations, timeout_s=services.settings.health_timeout_s)
    except Unavailable:
        return AWAY
    except asyncpg.UndefinedTableError:
        return UNMIGRATED
    return OK if {row["number"] for row in rows} >= EXPECTED else UNMIGRATED


async def detailed(services: Services) -> Detailed:
    """Everything known about the service, within the limit of one health check for the whole."""
    uptime_s = round(time.monotonic() - _started, 3)
    limit_s = services.settings.health_timeout_s
    latency_s: float | None = None
    began = time.perf_counter()
    try:
        async with services.database.session(limit_s) as connection:
            await connection.fetchval("SELECT 1")
            latency_s = round(time.perf_counter() - began, 6)
            oldest = await connection.fetchval(SQL.oldest_due_s)
            workers = [WorkerHealth(**row) for row in await connection.fetch(SQL.workers)]
        stats = await services.queue.stats(timeout_s=limit_s / 2)
        breakers = await services.queue.breakers()
    except (Unavailable, asyncpg.UndefinedTableError):
        # Reached all the same, when the round trip was measured: not migrated, or too slow for the rest.
        return Detailed(status="unavailable", uptime_s=uptime_s, database=_database(services, latency_s))
    return Detailed(
        status="ok",
        uptime_s=uptime_s,
        database=_database(services, latency_s),
        queue=QueueHealth(tasks=stats, oldest_due_s=oldest),
        workers=workers,
        circuit_breakers=breakers,
    )


def _database(services: Services, latency_s: float | None) -> DatabaseHealth:
    pool = services.database.usage()
    return DatabaseHealth(
        reachable=latency_s is not None,
        latency_s=latency_s,
        pool_size=pool.size,
        pool_used=pool.used,
        pool_idle=pool.idle,
    )
