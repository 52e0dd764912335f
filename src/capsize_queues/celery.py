"""Celery on Redis."""

from __future__ import annotations

import os

import redis
from celery import Celery

import capsize_witness.celery  # noqa: F401 - the hook is its import
from capsize_queues.base import State, redis_url, safe, work

VISIBILITY_S = 10
"""Longer than any task here, as Celery's documentation asks for: what is not acknowledged by then is run again."""

app = Celery("capsize_queues", broker=redis_url(), backend=redis_url())
app.conf.update(task_track_started=True, broker_connection_retry_on_startup=True)
if safe():
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_transport_options={"visibility_timeout": VISIBILITY_S},
    )


@app.task(name="wait")
def wait(seconds: float) -> None:
    """Wait."""
    work(seconds)


class _Client:
    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(redis_url())

    def enqueue(self, seconds: float) -> str:
        return str(wait.apply_async((seconds,), retry=False).id)

    def state(self, task: str) -> State:
        said = app.AsyncResult(task).state
        if said in ("SUCCESS", "FAILURE"):
            return "completed" if said == "SUCCESS" else "failed"
        mark = task.encode()
        if any(mark in message for message in self._redis.lrange("celery", 0, -1)):
            return "pending"
        if any(mark in message for message in self._redis.hvals("unacked")):
            return "running"
        return "running" if self._in_hand(task) else "missing"

    def _in_hand(self, task: str) -> bool:
        active = app.control.inspect(timeout=1.0).active() or {}
        return any(task == one["id"] for tasks in active.values() for one in tasks)

    def ping(self) -> None:
        self._redis.ping()


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run Celery's worker, one task at a time."""
    name = os.environ["WORKER_ID"]
    app.worker_main(["worker", "--concurrency=1", "--loglevel=info", "-n", f"{name}@%h"])
