"""RQ on Redis."""

from __future__ import annotations

import os

import redis
import rq
from rq.exceptions import NoSuchJobError
from rq.job import Job

from capsize_queues.base import State, redis_url, safe, work
from capsize_witness.rq import WitnessedWorker

TIMEOUT_S = 10
"""Longer than any task here: a job that was begun longer ago than this (and a grace of RQ's) is given up."""
MAINTENANCE_S = 2
WORKER_TTL_S = 20
"""An idle worker looks after dead jobs when its wait for a new one is over: 15 s less than this, 405 s by default."""
STATES: dict[str, State] = {"finished": "completed", "failed": "failed", "started": "running"}

connection = redis.Redis.from_url(redis_url())
queue = rq.Queue(connection=connection)


def wait(seconds: float) -> None:
    """Wait."""
    work(seconds)


class _Client:
    def enqueue(self, seconds: float) -> str:
        options = {"job_timeout": TIMEOUT_S, "retry": rq.Retry(max=3)} if safe() else {}
        return str(queue.enqueue("capsize_queues.rq.wait", seconds, **options).id)

    def state(self, task: str) -> State:
        try:
            return STATES.get(Job.fetch(task, connection=connection).get_status().value, "pending")
        except NoSuchJobError:
            return "missing"

    def ping(self) -> None:
        connection.ping()


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run RQ's worker."""
    options = {"maintenance_interval": MAINTENANCE_S, "worker_ttl": WORKER_TTL_S} if safe() else {}
    WitnessedWorker([queue], connection=connection, name=_name(), **options).work(with_scheduler=False)


def _name() -> str:
    # A worker that was killed leaves its name registered for minutes; the next one needs one of its own.
    return f"{os.environ['WORKER_ID']}-{os.getpid()}"
