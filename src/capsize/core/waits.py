"""Waiting for calls that must not be cut short."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

LOOK_S = 0.01

T = TypeVar("T")


async def to_the_end(call: Coroutine[Any, Any, T]) -> T:
    """Carry a call out to its end; a cancellation of the caller is passed on only after it.

    A thread can't be cancelled: without this, work in one would go on unseen beside what comes next.
    """
    task = asyncio.ensure_future(call)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and not task.cancelled():
        raise cancelled
    return task.result()


async def side_by_side(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry calls out at the same time, all to their end, and raise the first error."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def seen(look: Callable[[], bool], limit_s: float) -> bool:
    """Look until it is there, for things of the kernel's that nobody tells of; return whether it was in time."""
    give_up = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(LOOK_S)
    return True
