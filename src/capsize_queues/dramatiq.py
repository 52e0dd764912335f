"""Dramatiq on Redis."""

from __future__ import annotations

import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import ResultFailure, ResultMissing, Results
from dramatiq.results.backends.redis import RedisBackend

from capsize_queues.base import State, redis_url, safe, work
from capsize_witness.dramatiq import WitnessMiddleware

HEARTBEAT_MS = 5_000
MAINTENANCE_PER_MILLION = 100_000

broker = (
    RedisBroker(url=redis_url(), heartbeat_timeout=HEARTBEAT_MS, maintenance_chance=MAINTENANCE_PER_MILLION)
    if safe()
    else RedisBroker(url=redis_url())
)
broker.add_middleware(WitnessMiddleware())
# Without results Dramatiq keeps nothing of a message that was acknowledged, and a lost one would look like it.
broker.add_middleware(Results(backend=RedisBackend(url=redis_url()), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor
def wait(seconds: float) -> None:
    """Wait."""
    work(seconds)


class _Client:
    def enqueue(self, seconds: float) -> str:
        # The redis id is the broker's own; the workers announce the message's.
        return str(wait.send(seconds).message_id)

    def state(self, task: str) -> State:
        mark, queue = task.encode(), f"{broker.namespace}:default"
        messages = broker.client.hgetall(f"{queue}.msgs")
        found = [key for key, message in messages.items() if mark in message]
        if any(mark in message for message in broker.client.hvals(f"{queue}.XQ.msgs")):
            return "failed"
        if not found:
            return self._ended(task)
        waiting = set(broker.client.lrange(queue, 0, -1))
        return "pending" if waiting.intersection(found) else "running"

    def _ended(self, task: str) -> State:
        try:
            wait.message(0).copy(message_id=task).get_result()
        except ResultMissing:
            return "missing"
        except ResultFailure:
            return "failed"
        return "completed"

    def ping(self) -> None:
        broker.client.ping()


def client() -> _Client:
    """Return the sending side."""
    return _Client()


def worker() -> None:
    """Run Dramatiq's own command with one process of one thread."""
    from dramatiq.cli import main, make_argument_parser

    asked = make_argument_parser().parse_args(
        ["capsize_queues.dramatiq", "--processes", "1", "--threads", "1"]
    )
    sys.exit(main(asked))
