"""The one clock of a run: seconds since the run began, monotonic."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the run's time in seconds and waits for a moment of it."""

    def now(self) -> float:
        """Return the seconds since the run began."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for a span of the run's time."""
        ...


class MonotonicClock:
    """The machine's monotonic clock, started at zero when the run begins.

    It does not use the event loop's clock: uvloop's has a resolution of one millisecond and stands still
    within one turn of the loop.
    """

    def __init__(self) -> None:
        self._origin_ns = time.monotonic_ns()

    def now(self) -> float:
        """Return the seconds since this clock was made."""
        return (time.monotonic_ns() - self._origin_ns) / 1e9

    async def sleep(self, seconds: float) -> None:
        """Wait for at least so many seconds."""
        await asyncio.sleep(max(0.0, seconds))
