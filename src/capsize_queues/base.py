"""What a gateway needs of a queue, and what the modules of the queues share."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable
from typing import Literal, Protocol, TypeVar

Answer = TypeVar("Answer")
State = Literal["pending", "running", "completed", "failed", "missing"]
"""What the library and its broker say of one task. ``missing``: nothing is known of it any more."""

CALL_LIMIT_S = 10.0


class Client(Protocol):
    """The sending side of a queue, used from several threads."""

    def enqueue(self, seconds: float) -> str:
        """Hand a task of so many seconds over and return its id."""
        ...

    def state(self, task: str) -> State:
        """Say what is known of a task."""
        ...

    def ping(self) -> None:
        """Raise when the broker can't be reached."""
        ...


def safe() -> bool:
    """Tell whether the settings against lost work are asked for."""
    return os.environ.get("QUEUE_CONFIG", "default") == "safe"


def redis_url() -> str:
    """Return where Redis is."""
    return os.environ["REDIS_URL"]


def database_url() -> str:
    """Return where PostgreSQL is."""
    return os.environ["DATABASE_URL"]


def work(seconds: float) -> None:
    """Do what every task here does: take its time."""
    time.sleep(seconds)


class Loop:
    """An event loop in a thread of its own, for clients that know nothing else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="loop", daemon=True).start()

    def run(self, asked: Awaitable[Answer]) -> Answer:
        """Wait there for what is asked and return what it returns."""

        async def wait() -> Answer:
            return await asked

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(CALL_LIMIT_S)
