"""taskiq on Redis."""

from __future__ import annotations

import asyncio
import os

import redis
from taskiq.cli.worker.args import WorkerArgs
from taskiq.cli.worker.run import run_worker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from capsize_queues.base import Loop, State, redis_url, safe
from capsize_witness.taskiq import WitnessMiddleware

IDLE_MS = 8_000
"""Longer than any task here: a message that nobody acknowledged by then is given to another worker."""

broker = (
    RedisStreamBroker(url=redis_url(), idle_timeout=IDLE_MS, xread_block=1000, xread_count=1, consumer_id="0")
    if safe()
    else ListQueueBroker(url=redis_url())
)
broker = broker.with_result_backend(RedisAsyncResultBackend(redis_url=redis_url())).with_middlewares(
    WitnessMiddleware()
)


@broker.task(task_name="wait")
async def wait(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


class _Client:
    def __init__(self) -> None:
        self._loop, self._redis = Loop(), redis.Redis.from_url(redis_url())
        self._loop.run(broker.startup())

    def enqueue(self, seconds: float) -> str:
        return str(self._loop.run(wait.kiq(seconds)).task_id)

    def state(self, task: str) -> State:
        if self._loop.run(broker.result_backend.is_result_ready(task)):
            return "failed" if self._loop.run(broker.result_backend.get_result(task)).is_err else "completed"
        return self._in_stream(task.encode()) if safe() else self._in_list(task.encode())

    def _in_list(self, mark: bytes) -> State:
        waiting = self._redis.lrange(broker.queue_name, 0, -1)
        return "pending" if any(mark in message for message in waiting) else "missing"

    def _in_stream(self, mark: bytes) -> State:
        found = [key for key, fields in self._redis.xrange(broker.queue_name) if mark in fields[b"data"]]
        if not found:
            return "missing"
        taken = self._redis.xpending_range(
            broker.queue_name, broker.consumer_group_name, found[0], found[0], 1
        )
        return "running" if taken else "pending"

    def ping(self) -> None:
        self._redis.ping()


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run taskiq's own worker command with one process that runs one task at a time."""
    arguments = [
        "capsize_queues.taskiq:broker",
        "--workers",
        "1",
        "--max-async-tasks",
        "1",
        "--max-prefetch",
        "0",
    ]
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    run_worker(WorkerArgs.from_cli(arguments))
