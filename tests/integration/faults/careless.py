"""The starter with a mistake that only a fault of the machine brings out: ``careless.py MISTAKE server|worker|migrate``.

Run as a file and not as a module, since the process is started from any directory.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any


def reaps_by_its_own_clock() -> None:
    """Whether a lease is over is asked of the worker's wall clock instead of the database's."""
    from capsize_starter.queue import claims

    ours = claims.SQL._queries["reap"]
    condition = "lease_until < clock_timestamp()"
    if condition not in ours:
        raise LookupError("the query 'reap' has changed: make this mistake anew")
    reap = claims.Claims.reap

    async def by_its_own_clock(self: Any) -> Any:
        claims.SQL._queries["reap"] = ours.replace(condition, f"lease_until < to_timestamp({time.time()})")
        return await reap(self)

    claims.Claims.reap = by_its_own_clock  # type: ignore[method-assign]


def accepts_without_room() -> None:
    """A task is acknowledged although the database has no room for it, to be stored when there is some."""
    import asyncpg

    from capsize_starter.db import Unavailable
    from capsize_starter.queue import queue
    from capsize_starter.queue.model import Task

    enqueue = queue.Queue.enqueue

    async def accept(self: Any, new: Any, **more: Any) -> Any:
        try:
            return await enqueue(self, new, **more)
        except (asyncpg.DiskFullError, Unavailable):
            now = datetime.now(UTC)
            task = Task(
                id=queue.new_id(), type=new.type, status="pending", payload=new.payload, result=None, error=None,
                priority=new.priority, attempts=0, losses=0, max_attempts=new.max_attempts, run_at=now,
                created_at=now, started_at=None, finished_at=None, worker=None,
            )  # fmt: skip
            return queue.Enqueued(task, replayed=False)

    queue.Queue.enqueue = accept  # type: ignore[method-assign]


if __name__ == "__main__":
    from capsize_starter.cli import main

    globals()[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
