"""Procrastinate on PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import procrastinate
from procrastinate import PsycopgConnector

import capsize_witness.procrastinate
from capsize_queues.base import Loop, State, database_url, safe

SILENT_S = 4.0
"""A worker that sent no heartbeat for so long counts as dead; it sends one every second."""
STATES: dict[str, State] = {"todo": "pending", "doing": "running", "succeeded": "completed"}

app = procrastinate.App(connector=PsycopgConnector(conninfo=database_url()))
capsize_witness.procrastinate.install(app)


@app.task(name="wait")
async def wait(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


if safe():

    @app.periodic(cron="* * * * * */3")
    @app.task(name="retry_stalled_jobs", queueing_lock="retry_stalled_jobs", pass_context=True)
    async def retry_stalled_jobs(context: Any, timestamp: int) -> None:
        """Give the jobs of dead workers back, as the library's documentation shows it."""
        manager = app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_S):
            await manager.retry_job(job)


class _Client:
    def __init__(self) -> None:
        self._loop = Loop()
        self._loop.run(app.open_async())

    def enqueue(self, seconds: float) -> str:
        return str(self._loop.run(wait.defer_async(seconds=seconds)))

    def state(self, task: str) -> State:
        rows = self._loop.run(self._rows(int(task)))
        return STATES.get(rows[0]["status"], "failed") if rows else "missing"

    async def _rows(self, task: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await app.connector.execute_query_all_async(
            query="SELECT status::text FROM procrastinate_jobs WHERE id = %(id)s", id=task
        )
        return rows

    def ping(self) -> None:
        self._loop.run(app.connector.execute_query_all_async(query="SELECT 1"))


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def prepare() -> None:
    """Make the library's tables."""
    with procrastinate.App(
        connector=procrastinate.SyncPsycopgConnector(conninfo=database_url())
    ).open() as once:
        once.schema_manager.apply_schema()


def worker() -> None:
    """Run Procrastinate's worker, one job at a time (safe: one more, for the housekeeping)."""
    logging.basicConfig(level=logging.INFO)
    options: dict[str, float] = {"concurrency": 1}
    if safe():
        options |= {"concurrency": 2, "update_heartbeat_interval": 1.0, "stalled_worker_timeout": SILENT_S}
    app.run_worker(name=os.environ["WORKER_ID"], fetch_job_polling_interval=1.0, **options)
