"""The work itself as a context: started, and then finished or failed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from capsize_witness.announcing import announce, announce_soon


@contextmanager
def running(task: str, *, kind: str | None = None) -> Iterator[None]:
    """Announce that the work on a task begins, and how it ended."""
    announce("started", task, kind=kind)
    try:
        yield
    except BaseException:
        announce("failed", task, kind=kind)
        raise
    announce("finished", task, kind=kind)


@asynccontextmanager
async def running_async(task: str, *, kind: str | None = None) -> AsyncIterator[None]:
    """Announce the same from a coroutine. Cancelled work was given up, and may be begun again elsewhere."""
    await announce_soon("started", task, kind=kind)
    try:
        yield
    except asyncio.CancelledError:
        announce("abandoned", task, kind=kind)
        raise
    except BaseException:
        await announce_soon("failed", task, kind=kind)
        raise
    await announce_soon("finished", task, kind=kind)
