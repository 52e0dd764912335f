"""PgQueuer on PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer, Queries
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job

from capsize_queues.base import Loop, State, database_url, safe
from capsize_witness.pgqueuer import install, witnessed

HEARTBEAT_S = 3.0
"""A job whose worker sent no heartbeat for so long is taken by another one."""
LOOK_S = 2.0
"""An idle worker looks for such jobs so often; by default every 30 s."""
STATES: dict[str, State] = {"queued": "pending", "picked": "running", "failed": "failed"}


class _Client:
    def __init__(self) -> None:
        self._loop = Loop()
        self._pool = self._loop.run(self._connect())
        self._queries = Queries(AsyncpgPoolDriver(self._pool))

    async def _connect(self) -> asyncpg.Pool:
        return await asyncpg.create_pool(database_url(), min_size=1, max_size=4)

    def enqueue(self, seconds: float) -> str:
        (job,) = self._loop.run(self._queries.enqueue("wait", str(seconds).encode()))
        return str(job)

    def state(self, task: str) -> State:
        return self._loop.run(self._state(int(task)))

    async def _state(self, task: int) -> State:
        row = await self._pool.fetchrow("SELECT status::text FROM pgqueuer WHERE id = $1", task)
        if row is not None:
            return STATES.get(row["status"], "pending")
        ended = await self._pool.fetch("SELECT status::text FROM pgqueuer_log WHERE job_id = $1", task)
        said = {row["status"] for row in ended}
        if "successful" in said:
            return "completed"
        return "failed" if said & {"exception", "failed", "canceled"} else "missing"

    def ping(self) -> None:
        self._loop.run(self._pool.fetchval("SELECT 1"))


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def prepare() -> None:
    """Make the library's tables."""
    asyncio.run(_install())


async def _install() -> None:
    connection = await asyncpg.connect(database_url())
    try:
        await Queries(AsyncpgDriver(connection)).install()
    finally:
        await connection.close()


def worker() -> None:
    """Run PgQueuer, one job at a time."""
    asyncio.run(_work())


async def _work() -> None:
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(database_url())))
    install(pgq)

    @pgq.entrypoint("wait", executor_factory=witnessed)
    async def wait(job: Job) -> None:
        await asyncio.sleep(float(job.payload or b"0"))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, pgq.shutdown.set)
    print("worker ready", flush=True)
    heartbeat, look = timedelta(seconds=HEARTBEAT_S), timedelta(seconds=LOOK_S)
    options = {"heartbeat_timeout": heartbeat, "dequeue_timeout": look} if safe() else {}
    # Two is the least that PgQueuer takes as a limit; a batch of one keeps the others free for other workers.
    await pgq.run(batch_size=1, max_concurrent_tasks=2, **options)
