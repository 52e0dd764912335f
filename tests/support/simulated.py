"""An event loop whose time jumps: a minute of waiting takes as long as the code that waits.

Run with :func:`run`. Everything that waits on the loop's own clock (``asyncio.sleep``, ``asyncio.timeout``,
:class:`SimulatedClock`) is simulated; sockets, processes and threads are not, and must not be used in it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SimulatedClock:
    """The run's clock on the loop's own time, from zero at the moment when it was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()

    def now(self) -> float:
        """Return the simulated seconds since this clock was made."""
        return self._loop.time() - self._origin

    async def sleep(self, seconds: float) -> None:
        """Wait for a span of simulated time."""
        await asyncio.sleep(max(0.0, seconds))


class Deadlock(Exception):
    """Every task waits for something that nothing is going to do."""


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Instead of waiting for a timer, lets the time jump to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready at once, or jump."""
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("no task can go on, and no timer is set")
        self.now += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on simulated time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
