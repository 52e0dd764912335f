"""Defects of a change of size: workers that leave badly, or join without helping."""

from __future__ import annotations

import os
from typing import Any

from quality.planted.model import Hunt, count_starts, defects

QUICK = Hunt("dynamic-scaling", level=1, overrides={"time_scale": 0.2})
MUCH = Hunt("dynamic-scaling", level=1, overrides={"time_scale": 0.2, "tasks": 200})


def forgets_tasks_when_told_to_leave() -> None:
    """At SIGTERM the worker ends at once, and neither finishes nor hands back what it is inside of."""
    from capsize_starter.worker import service

    async def leave(self: Any) -> None:
        os._exit(0)

    service.Worker._finish = leave  # type: ignore[method-assign]


def fails_tasks_when_told_to_leave() -> None:
    """At SIGTERM the worker cancels its tasks, and they count as failed attempts."""
    from capsize_starter.worker import service

    finish = service.Worker._finish

    async def cancel_and_finish(self: Any) -> None:
        for running in self._keeper._running.values():
            if running.handler is not None:
                running.handler.cancel()
        await finish(self)

    service.Worker._finish = cancel_and_finish  # type: ignore[method-assign]


def loses_tasks_when_told_to_leave() -> None:
    """At SIGTERM the worker writes its tasks off as done and ends."""
    from capsize_starter.worker import service

    async def write_off(self: Any) -> None:
        for running in list(self._keeper._running.values()):
            claimed = running.claimed
            await self._tools.claims.complete(claimed.id, claimed.run, claimed.type, "null")
        os._exit(0)

    service.Worker._finish = write_off  # type: ignore[method-assign]


def hears_no_sigterm() -> None:
    """The worker goes on claiming when it is told to leave, until it is killed."""
    from capsize_starter.worker import service

    service.Worker.stop = lambda self: None  # type: ignore[method-assign]


def newcomers_do_nothing() -> None:
    """Workers that join later than the first five are ready, and are never given a task."""
    from capsize_starter.worker import dispatcher

    if count_starts("worker") <= 5:
        return

    async def nothing(self: Any, *hint: Any) -> bool:
        await self._tools.claims.peek()
        return False

    dispatcher.Dispatcher._claim = nothing  # type: ignore[method-assign]


DEFECTS = defects(
    (forgets_tasks_when_told_to_leave, QUICK, {"scaling"}),
    (fails_tasks_when_told_to_leave, QUICK, {"scaling"}),
    (loses_tasks_when_told_to_leave, QUICK, {"misreported", "lost"}),
    (hears_no_sigterm, QUICK, {"scaling"}),
    (newcomers_do_nothing, MUCH, {"scaling"}),
)
