"""The simulated loop and clock on which runner tests stand."""

from __future__ import annotations

import asyncio
import time

import pytest

from support.simulated import Deadlock, SimulatedClock, run


def test_an_hour_passes_in_no_time() -> None:
    """Sleeping takes simulated time only, and exactly as much as was asked for."""

    async def main() -> float:
        clock = SimulatedClock()
        await clock.sleep(3600.0)
        return clock.now()

    began = time.monotonic()
    assert run(main()) == pytest.approx(3600.0)
    assert time.monotonic() - began < 10.0


def test_tasks_wake_in_the_order_of_their_times() -> None:
    """Timers of several tasks interleave as they would in real time."""
    seen: list[tuple[float, str]] = []

    async def tick(clock: SimulatedClock, name: str, every: float) -> None:
        for _ in range(3):
            await clock.sleep(every)
            seen.append((round(clock.now(), 6), name))

    async def main() -> None:
        clock = SimulatedClock()
        await asyncio.gather(tick(clock, "a", 2.0), tick(clock, "b", 3.0))

    run(main())
    assert seen == [(2.0, "a"), (3.0, "b"), (4.0, "a"), (6.0, "b"), (6.0, "a"), (9.0, "b")]


def test_timeouts_are_simulated_too() -> None:
    """``asyncio.timeout`` counts simulated seconds."""

    async def main() -> float:
        clock = SimulatedClock()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30.0):
                await asyncio.Event().wait()
        return clock.now()

    assert run(main()) == pytest.approx(30.0)


def test_waiting_for_ever_is_an_error() -> None:
    """A test whose tasks all wait for each other fails instead of hanging."""
    with pytest.raises(Deadlock):
        run(asyncio.Event().wait())
