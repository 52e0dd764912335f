"""Open-loop sending: each request has a planned time, and no answer, late or missing, moves the next one.

Latency counts from the planned time, so that a service that stands still for two seconds shows two seconds,
once for each request that was due meanwhile. (A closed loop would have sent one.)
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from capsize.core.clock import Clock
from capsize.load.alarm import alarm

BREATH = 64
"""After so many sends without a wait the loop gets a turn, so that a burst can't shut everything else out."""


def every(interval_s: float) -> Iterator[float]:
    """Yield 0, one interval, two intervals and so on, without adding up rounding errors."""
    return (number * interval_s for number in itertools.count())


def arrivals(rate: float, draw: random.Random | None = None) -> Iterator[float]:
    """Yield times in seconds after the beginning at ``rate`` per second, for ever.

    Evenly spaced without ``draw``; with it a Poisson process, whose gaps are drawn from it.
    """
    if draw is None:
        yield from every(1.0 / rate)
    at = 0.0
    while draw is not None:
        at += draw.expovariate(rate)
        yield at


async def open_loop(
    clock: Clock,
    times: Iterator[float],
    fire: Callable[[int, float], Coroutine[Any, Any, None]],
    *,
    in_flight_max: int,
    shed: Callable[[int, float], None],
) -> None:
    """Start ``fire(number, planned)`` at each time after now, and return when all of them are done.

    A stalled service can't slow it: when ``in_flight_max`` are under way, ``shed(number, planned)`` is called
    instead of ``fire``, so that nothing is left out silently. What is due already is sent at once. When
    cancelled, it cancels those under way and waits for them.
    """
    begin = clock.now()
    in_flight = 0

    def landed(_: asyncio.Task[None]) -> None:
        nonlocal in_flight
        in_flight -= 1

    async with alarm(clock) as bell, asyncio.TaskGroup() as tasks:
        without_wait = 0
        for number, offset in enumerate(times):
            planned = begin + offset
            without_wait += 1
            if planned > clock.now():
                await bell.until(planned)
                without_wait = 0
            elif without_wait % BREATH == 0:
                await asyncio.sleep(0)
            if in_flight >= in_flight_max:
                shed(number, planned)
                continue
            in_flight += 1
            tasks.create_task(fire(number, planned)).add_done_callback(landed)
