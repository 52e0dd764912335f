"""Defects that change what was accepted, and workers that hear of it late."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from quality.planted.model import Hunt, change_sql, defects

OUTAGE = Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0), "tasks": 60})
KILLS = Hunt(
    "multi-worker-chaos",
    overrides={"tasks": 10, "task_delay_s": 1.5, "interval_s": (1.0, 2.0), "deadline_s": 60.0},
)
TRIES_S = (0.1, 0.2, 0.4, 0.6)


def alters_payload_on_retry() -> None:
    """A submission that met a database error is tried again from a copy, in which every number has become whole."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import queue

    enqueue, encode = queue.Queue.enqueue, queue._encode
    from_copy = contextvars.ContextVar("from_copy", default=False)

    def encoded(payload: Any) -> bytes:
        if from_copy.get():
            payload = {k: -int(-v // 1) if isinstance(v, float) else v for k, v in payload.items()}
        return encode(payload)

    async def again(self: Any, *arguments: Any, **options: Any) -> Any:
        from_copy.set(False)
        for pause_s in TRIES_S:
            try:
                return await enqueue(self, *arguments, **options)
            except Unavailable:
                from_copy.set(True)
                await asyncio.sleep(pause_s)
        return await enqueue(self, *arguments, **options)

    queue._encode = encoded
    queue.Queue.enqueue = again  # type: ignore[method-assign]


def requeue_loses_part_of_the_payload() -> None:
    """A lost worker's task is put back from a record that kept only whole numbers: the rest of its payload is gone."""
    change_sql(
        "claims",
        "reap",
        "SET losses = losses + 1,",
        """SET payload = (SELECT json_object_agg(key, floor(value::numeric)) FROM json_each_text(payload)),
            losses = losses + 1,""",
    )


def shows_other_limits_in_the_end() -> None:
    """What the API shows of a task is put together from defaults once it is over: not what was accepted."""
    import msgspec

    from capsize_starter.queue import queue

    task = queue._task

    def shown(row: Any) -> Any:
        made = task(row)
        return made if made.status == "pending" else msgspec.structs.replace(made, max_attempts=1)

    queue._task = shown


def polls_instead_of_listening() -> None:
    """Workers look for work every ten seconds and hear no notification in between."""
    from capsize_starter.worker import dispatcher, service

    async def wait(self: Any) -> None:
        await asyncio.wait({asyncio.ensure_future(asyncio.sleep(10.0))})

    dispatcher.Dispatcher._wait = wait  # type: ignore[method-assign]
    service.Worker._notified = lambda self, channel, payload: None  # type: ignore[method-assign]


DEFECTS = defects(
    (alters_payload_on_retry, OUTAGE, {"corrupted"}),
    (requeue_loses_part_of_the_payload, KILLS, {"corrupted"}),
    (shows_other_limits_in_the_end, Hunt("baseline", level=1), {"corrupted"}),
    (polls_instead_of_listening, Hunt("baseline", level=1), {"pickup"}),
)
