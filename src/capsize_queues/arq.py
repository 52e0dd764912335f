"""arq on Redis."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job, JobStatus
from arq.worker import run_worker

from capsize_queues.base import Loop, State, redis_url, safe
from capsize_witness.arq import witnessed

TIMEOUT_S = 8
"""Longer than any task here. arq marks a job as taken for ten seconds more than this."""
STATES: dict[JobStatus, State] = {
    JobStatus.queued: "pending",
    JobStatus.deferred: "pending",
    JobStatus.in_progress: "running",
    JobStatus.not_found: "missing",
}


async def wait(ctx: dict[str, Any], seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


class Settings:
    """What arq's worker is told."""

    functions: ClassVar[list[Any]] = [wait]
    redis_settings = RedisSettings.from_dsn(redis_url())
    max_jobs = 1
    poll_delay = 0.1


if safe():
    Settings.job_timeout = TIMEOUT_S  # type: ignore[attr-defined]
witnessed(Settings)


class _Client:
    def __init__(self) -> None:
        self._loop = Loop()
        self._pool = self._loop.run(create_pool(Settings.redis_settings))

    def enqueue(self, seconds: float) -> str:
        return str(self._loop.run(self._pool.enqueue_job("wait", seconds)).job_id)

    def state(self, task: str) -> State:
        job = Job(task, self._pool)
        status = self._loop.run(job.status())
        if status == JobStatus.complete:
            found = self._loop.run(job.result_info())
            return "completed" if found is not None and found.success else "failed"
        return STATES[status]

    def ping(self) -> None:
        self._loop.run(self._pool.ping())


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run arq's worker."""
    logging.basicConfig(level=logging.INFO)
    run_worker(Settings)
