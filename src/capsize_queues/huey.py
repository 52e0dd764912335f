"""Huey on Redis."""

from __future__ import annotations

import logging

import redis
from huey import RedisHuey
from huey.exceptions import TaskException

import capsize_witness.huey
from capsize_queues.base import State, redis_url, work

# There is no safe variant: whatever its storage, Huey takes a task out of the queue before it runs it.
huey = RedisHuey("capsize", url=redis_url(), store_none=True)
capsize_witness.huey.install(huey)


@huey.task()
def wait(seconds: float) -> None:
    """Wait."""
    work(seconds)


class _Client:
    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(redis_url())

    def enqueue(self, seconds: float) -> str:
        return str(wait(seconds).id)

    def state(self, task: str) -> State:
        if not huey.storage.has_data_for_key(task):
            return "pending" if any(task == one.id for one in huey.pending()) else "missing"
        try:
            huey.result(task, preserve=True)
        except TaskException:
            return "failed"
        return "completed"

    def ping(self) -> None:
        self._redis.ping()


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run Huey's consumer with one worker."""
    logging.basicConfig(level=logging.INFO)
    huey.create_consumer(workers=1, worker_type="thread").run()
