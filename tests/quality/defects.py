"""Planted defects: the mistakes that task queues really make, as patches on the starter at run time.

None of them is in the product. Each is a function that changes the starter's modules before the process
starts to work; :mod:`quality.defective` applies one and then runs the starter as usual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hunt:
    """The run that must find a defect: scenario, level, replaced figures, and the first seed."""

    scenario: str
    level: int = 2
    overrides: dict[str, Any] = field(default_factory=dict)
    seed: int = 1


@dataclass(frozen=True)
class Defect:
    """One mistake: what it is, how it is made, the run that must find it, and the names it may be found under.

    ``shows`` are the anomalies or criteria of which at least one must be reported.
    """

    story: str
    plant: Callable[[], None]
    hunt: Hunt
    shows: frozenset[str]


QUICK_KILLS = Hunt(
    "multi-worker-chaos",
    overrides={"tasks": 10, "task_delay_s": 1.0, "interval_s": (1.0, 2.0), "deadline_s": 25.0},
)


def acknowledges_before_running() -> None:
    """A queue that deletes the message when it hands it out, as a broker with early acknowledgement does."""
    from capsize_starter.worker import runner

    handle = runner._handle

    async def acknowledge_first(tools: Any, running: Any) -> Any:
        claimed = running.claimed
        _never_lose(running)
        await tools.claims.complete(claimed.id, claimed.run, claimed.type, "null")
        return await handle(tools, running)

    runner._handle = acknowledge_first


def reports_before_the_effect() -> None:
    """The result is recorded while the work is still going on."""
    from capsize_starter.worker import runner

    handle = runner._handle

    async def record_in_the_middle(tools: Any, running: Any) -> Any:
        claimed = running.claimed
        _never_lose(running)

        async def early() -> None:
            await asyncio.sleep(0.3)
            await tools.claims.complete(claimed.id, claimed.run, claimed.type, "null")

        recording = asyncio.create_task(early())
        try:
            return await handle(tools, running)
        finally:
            await asyncio.gather(recording, return_exceptions=True)

    runner._handle = record_in_the_middle


def lease_never_ends() -> None:
    """Nobody takes back what a dead worker held."""
    _change_sql("claims", "reap", "lease_until < clock_timestamp()", "false")


def drops_lost_tasks() -> None:
    """The retry of a lost worker's task is forgotten: the task is gone."""
    from capsize_starter.queue import claims

    claims.SQL._queries["reap"] = """
        WITH gone AS (
            DELETE FROM tasks WHERE status = 'running' AND lease_until < clock_timestamp()
            RETURNING id, type, runs, status, losses, worker
        )
        SELECT * FROM gone WHERE $1::integer IS NOT NULL"""


def no_fencing() -> None:
    """A worker that was frozen past its lease finishes the task as if nothing had happened."""
    from capsize_starter.worker import keeper, lease

    for name in ("complete", "fail"):
        _change_sql("claims", name, "AND runs = $2 AND status = 'running'", "AND $2::integer IS NOT NULL")
    lease.Lease.held = lambda self, clock=None: True  # type: ignore[method-assign, assignment, misc]
    lease.Lease.check = lambda self: None  # type: ignore[method-assign]
    keeper.Running.lose = lambda self, reason: None  # type: ignore[method-assign]


def claims_without_lock() -> None:
    """Two workers read the same row as free, and both take it."""
    from capsize_starter.queue import claims
    from capsize_starter.worker import keeper

    # Read, then write, without a lock between the two: the gap is as wide as one round trip.
    async def start(self: Any, connection: Any, type: str, limit: int) -> list[Any]:
        rows = await connection.fetch(
            "SELECT id FROM tasks WHERE type = $1 AND status = 'pending' AND run_at <= clock_timestamp()"
            " ORDER BY priority DESC, run_at LIMIT $2",
            type,
            limit,
        )
        await asyncio.sleep(0.01)
        taken = await connection.fetch(
            "UPDATE tasks SET status = 'running', runs = runs + 1, worker = $2, started_at = clock_timestamp(),"
            " lease_until = clock_timestamp() + make_interval(secs => $3) WHERE id = ANY($1::uuid[])"
            " RETURNING id, type, runs, payload, attempts, max_attempts",
            [row["id"] for row in rows],
            self._worker,
            self._lease_s,
        )
        return [claims.Claimed(*row.values()) for row in taken]

    claims.Claims._start = start  # type: ignore[method-assign]
    keeper.Running.lose = lambda self, reason: None  # type: ignore[method-assign]


def runs_twice() -> None:
    """The handler is called a second time after it succeeded, as a retry around too much does."""
    from capsize_starter.worker import runner

    handle = runner._handle

    async def twice(tools: Any, running: Any) -> Any:
        await handle(tools, running)
        claimed = running.claimed
        await tools.witness.announce("finished", claimed.id, claimed.run)
        await tools.witness.announce("started", claimed.id, claimed.run)
        return await handle(tools, running)

    runner._handle = twice


def pool_never_reconnects() -> None:
    """A connection that died is handed out for ever after."""
    from capsize_starter.db import pool

    def keep(self: Any, connection: Any, *, drop: bool = False) -> None:
        self._used.discard(connection)
        self._permits.release()
        self._idle.append(connection)

    async def acquire(self: Any) -> Any:
        await self._permits.acquire()
        try:
            connection = self._idle.pop() if self._idle else await self.connect()
        except BaseException:
            self._permits.release()
            raise
        self._used.add(connection)
        return connection

    pool.Database.release = keep  # type: ignore[method-assign]
    pool.Database.acquire = acquire  # type: ignore[method-assign]


def health_always_ok() -> None:
    """The health check answers from the process alone and never asks the database."""
    from capsize_starter.api import health

    async def fine(services: Any) -> Any:
        return health.OK

    health.ping = fine
    health.readiness = fine


def accepts_before_insert() -> None:
    """The API answers 201 and inserts a moment later: what it had in memory dies with it."""
    from datetime import UTC, datetime

    from capsize_starter.queue import queue

    inserting: set[asyncio.Task[None]] = set()

    async def insert(self: Any, task_id: Any, new: Any, user_id: Any) -> None:
        await asyncio.sleep(1.0)
        payload = queue._encode(new.payload).decode()
        values = (new.type, payload, new.priority, new.run_at, new.max_attempts, None, None)
        await self._db.fetchrow(queue.SQL.enqueue, task_id, user_id, *values)

    async def enqueue(
        self: Any, new: Any, *, user_id: Any = None, idempotency_key: str | None = None
    ) -> queue.Enqueued:
        task_id, now = queue.new_id(), datetime.now(UTC)
        pending = asyncio.create_task(insert(self, task_id, new, user_id))
        inserting.add(pending)
        pending.add_done_callback(inserting.discard)
        task = queue.Task(
            id=task_id,
            type=new.type,
            status="pending",
            payload=new.payload,
            result=None,
            error=None,
            priority=new.priority,
            attempts=0,
            losses=0,
            max_attempts=new.max_attempts,
            run_at=new.run_at or now,
            created_at=now,
            started_at=None,
            finished_at=None,
            worker=None,
        )
        return queue.Enqueued(task, replayed=False)

    queue.Queue.enqueue = enqueue  # type: ignore[method-assign]


def statistics_forget_running() -> None:
    """The counts leave out what is being worked on."""
    _change_sql("queue", "stats", "count(*) FILTER (WHERE status = 'running')", "0::bigint")


def hangs_without_database() -> None:
    """Requests wait for the database without a limit: the API hangs for as long as it is away."""
    from capsize_starter.db import pool

    connect, session = pool.Database.connect, pool.Database.session

    async def connect_at_last(self: Any) -> Any:
        while True:
            try:
                return await connect(self)
            except pool.Unavailable:
                await asyncio.sleep(0.1)

    pool.Database.connect = connect_at_last  # type: ignore[method-assign]
    pool.Database.session = lambda self, timeout_s=None: session(self, 3600.0)  # type: ignore[method-assign, assignment, misc]


DEFECTS: dict[str, Defect] = {
    plant.__name__: Defect((plant.__doc__ or "").splitlines()[0], plant, hunt, frozenset(shows))
    for plant, hunt, shows in (
        (acknowledges_before_running, QUICK_KILLS, {"misreported", "lost"}),
        (reports_before_the_effect, QUICK_KILLS, {"misreported", "lost"}),
        (lease_never_ends, QUICK_KILLS, {"stuck", "lost"}),
        (drops_lost_tasks, QUICK_KILLS, {"lost"}),
        (
            no_fencing,
            Hunt("worker-restart", overrides={"interval_s": (6.0, 7.0), "deadline_s": 40.0}, seed=7),
            {"duplicate", "overlap"},
        ),
        (claims_without_lock, QUICK_KILLS, {"overlap", "duplicate"}),
        (runs_twice, Hunt("baseline", level=1), {"duplicate"}),
        (
            pool_never_reconnects,
            Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}),
            {"recovery"},
        ),
        (
            health_always_ok,
            Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}),
            {"truthful_health"},
        ),
        (
            accepts_before_insert,
            Hunt("server-restart", level=4, overrides={"interval_s": (3.0, 4.0), "tasks": 60}),
            {"lost"},
        ),
        (statistics_forget_running, Hunt("baseline", level=1), {"unaccounted"}),
        (
            hangs_without_database,
            Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}),
            {"bounded_answers"},
        ),
    )
}
"""Every defect by name."""


def _never_lose(running: Any) -> None:
    """Keep a run going although its record says that it is over: the heartbeat would end it."""
    running.lose = lambda reason: None


def _change_sql(module: str, query: str, old: str, new: str) -> None:
    """Replace a piece of a query; a piece that is not there is an error, or the defect would be none."""
    from importlib import import_module

    queries = import_module(f"capsize_starter.queue.{module}").SQL._queries
    if old not in queries[query]:
        raise LookupError(f"the query {query!r} no longer holds {old!r}: plant this defect anew")
    queries[query] = queries[query].replace(old, new)
