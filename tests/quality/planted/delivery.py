"""Defects of delivery: tasks lost, run twice, left behind or misreported."""

from __future__ import annotations

import asyncio
from typing import Any

from quality.planted.model import Hunt, change_sql, defects, never_lose

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
        never_lose(running)
        await tools.claims.complete(claimed.id, claimed.run, claimed.type, "null")
        return await handle(tools, running)

    runner._handle = acknowledge_first


def reports_before_the_effect() -> None:
    """The result is recorded while the work is still going on."""
    from capsize_starter.worker import runner

    handle = runner._handle

    async def record_in_the_middle(tools: Any, running: Any) -> Any:
        claimed = running.claimed
        never_lose(running)

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
    change_sql("claims", "reap", "lease_until < clock_timestamp()", "false")


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
        change_sql("claims", name, "AND runs = $2 AND status = 'running'", "AND $2::integer IS NOT NULL")
    lease.Lease.held = lambda self, clock=None: True  # type: ignore[method-assign, assignment, misc]
    lease.Lease.check = lambda self: None  # type: ignore[method-assign]
    keeper.Running.lose = lambda self, reason: None  # type: ignore[method-assign]


def claims_without_lock() -> None:
    """Two workers read the same row as free, and both take it."""
    from capsize_starter.queue import claims
    from capsize_starter.worker import keeper

    # Read, then write, without a lock between the two: the gap is as wide as one round trip.
    async def start(self: Any, connection: Any, type: str, limit: int, before: Any) -> list[Any]:
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
    change_sql("queue", "stats", "count(*) FILTER (WHERE status = 'running')", "0::bigint")


def cancelled_tasks_run() -> None:
    """A cancel is confirmed and forgotten: the task runs all the same."""
    from capsize_starter.queue import queue

    queue.SQL._queries["cancel"] = """
        SELECT tasks.*, NULL::boolean AS told FROM tasks
        WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2) AND status IN ('pending', 'running')"""


def submits_twice_on_retry() -> None:
    """The idempotency key is not looked at: a client that repeats a lost submission gets a second task."""
    from capsize_starter.queue import queue

    enqueue = queue.Queue.enqueue

    async def without_key(self: Any, new: Any, **options: Any) -> Any:
        return await enqueue(self, new, **(options | {"idempotency_key": None}))

    queue.Queue.enqueue = without_key  # type: ignore[method-assign]


DEFECTS = defects(
    (cancelled_tasks_run, Hunt("baseline", level=1), {"resurrected"}),
    (
        # An outage only sometimes falls between the commit and its answer; here every one does.
        submits_twice_on_retry,
        Hunt("commit-ambiguity", level=1),
        {"duplicate", "unaccounted"},
    ),
    (acknowledges_before_running, QUICK_KILLS, {"misreported", "lost"}),
    (reports_before_the_effect, QUICK_KILLS, {"misreported", "lost"}),
    (lease_never_ends, QUICK_KILLS, {"stuck", "lost"}),
    (drops_lost_tasks, QUICK_KILLS, {"lost"}),
    (
        no_fencing,
        # The seed is one whose plan freezes a worker twice while there is work.
        Hunt("worker-restart", overrides={"interval_s": (6.0, 7.0), "deadline_s": 40.0}, seed=15),
        {"duplicate", "overlap"},
    ),
    (claims_without_lock, QUICK_KILLS, {"overlap", "duplicate"}),
    (runs_twice, Hunt("baseline", level=1), {"duplicate"}),
    (
        accepts_before_insert,
        Hunt("server-restart", level=4, overrides={"interval_s": (3.0, 4.0), "tasks": 60}),
        {"lost"},
    ),
    (statistics_forget_running, Hunt("baseline", level=1), {"unaccounted"}),
)
