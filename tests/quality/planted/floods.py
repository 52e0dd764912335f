"""Defects that show when more comes in than can be done: memory, locks, throughput."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from quality.planted.model import Hunt, defects

FLOOD = Hunt("task-flood", level=1)
SHORT_FLOOD = Hunt("task-flood", level=1, overrides={"tasks": 480})

_kept: list[bytes] = []


def api_leaks_memory() -> None:
    """The API keeps something of every submission for ever: a cache without a limit."""
    from capsize_starter.queue import queue

    enqueue = queue.Queue.enqueue

    async def enqueue_and_keep(self: Any, *args: Any, **more: Any) -> Any:
        _kept.append(b"x" * 8192)
        return await enqueue(self, *args, **more)

    queue.Queue.enqueue = enqueue_and_keep  # type: ignore[method-assign]


def worker_leaks_memory() -> None:
    """The worker keeps something of every task that it ran."""
    from capsize_starter.worker import runner

    handle = runner._handle

    async def handle_and_keep(tools: Any, running: Any) -> Any:
        _kept.append(b"x" * 32768)
        return await handle(tools, running)

    runner._handle = handle_and_keep


def deadlocks_under_load() -> None:
    """Recording a result locks two things, in an order that depends on the worker."""
    from capsize_starter.queue import claims

    async def complete(self: Any, task_id: Any, run: int, type: str, result: str | None) -> bool:
        order = (1, 2) if int(self._worker[-1]) % 2 else (2, 1)
        async with self._db.transaction(10.0) as connection:
            for key in order:
                await connection.execute("SELECT pg_advisory_xact_lock($1)", key)
                await asyncio.sleep(0.002)
            await connection.fetchrow(claims.SQL.complete, task_id, run, result)
        return True

    claims.Claims.complete = complete  # type: ignore[method-assign]


def one_lock_for_all() -> None:
    """Every result is recorded under one lock for the whole queue, and the holder does something slow."""
    from capsize_starter.queue import claims

    complete = claims.Claims.complete

    async def slow_complete(self: Any, task_id: Any, run: int, type: str, result: str | None) -> bool:
        async with self._db.transaction(60.0) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await asyncio.sleep(0.05)
        return await complete(self, task_id, run, type, result)

    claims.Claims.complete = slow_complete  # type: ignore[method-assign]


def accepts_one_at_a_time() -> None:
    """Submissions wait for each other in the API: more come in than are let through."""
    from capsize_starter.queue import queue

    enqueue = queue.Queue.enqueue
    gate = asyncio.Semaphore(1)

    async def enqueue_in_turn(self: Any, *args: Any, **more: Any) -> Any:
        async with gate:
            await asyncio.sleep(0.02)
            return await enqueue(self, *args, **more)

    queue.Queue.enqueue = enqueue_in_turn  # type: ignore[method-assign]


def worker_dies_of_much_work() -> None:
    """The worker ends after a number of tasks, as one that ran out of something."""
    from capsize_starter.worker import runner

    handle = runner._handle
    handled = 0

    async def handle_some(tools: Any, running: Any) -> Any:
        nonlocal handled
        handled += 1
        if handled == 150:
            os._exit(1)
        return await handle(tools, running)

    runner._handle = handle_some


DEFECTS = defects(
    (api_leaks_memory, FLOOD, {"memory"}),
    (worker_leaks_memory, FLOOD, {"memory"}),
    (deadlocks_under_load, Hunt("task-flood", level=1, overrides={"tasks": 240}), {"database_load"}),
    (one_lock_for_all, SHORT_FLOOD, {"throughput"}),
    (accepts_one_at_a_time, SHORT_FLOOD, {"acceptance"}),
    (worker_dies_of_much_work, SHORT_FLOOD, {"crashes"}),
)
