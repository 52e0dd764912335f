"""Planned times, and that no answer, late or missing, moves them."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time

import pytest

from capsize.core.clock import MonotonicClock
from capsize.load.alarm import _Sleep, _TimerFd, alarm
from capsize.load.schedule import arrivals, every, open_loop


def never(number: int, planned: float) -> None:
    raise AssertionError(f"send {number} was held back")


def test_even_times_do_not_drift():
    """The millionth time is the product, not a sum of rounding errors."""
    assert next(itertools.islice(every(0.1), 1_000_000, None)) == 100_000.0
    assert list(itertools.islice(arrivals(4.0), 4)) == [0.0, 0.25, 0.5, 0.75]


def test_poisson_times_come_from_the_seed_at_the_rate():
    """The same draws give the same times; their mean gap is the rate's."""
    one, two = (list(itertools.islice(arrivals(50.0, random.Random(7)), 20_000)) for _ in range(2))
    other = list(itertools.islice(arrivals(50.0, random.Random(8)), 20_000))
    assert one == two
    assert one != other
    assert one == sorted(one)
    assert one[-1] == pytest.approx(400.0, rel=0.05)


async def test_every_time_is_sent_and_never_early():
    """All are fired, in order, each at its planned time or after it."""
    clock = MonotonicClock()
    fired: list[tuple[int, float, float]] = []

    async def fire(number: int, planned: float) -> None:
        fired.append((number, planned, clock.now()))

    begin = clock.now()
    await open_loop(clock, itertools.islice(every(0.005), 40), fire, in_flight_max=40, shed=never)
    assert [number for number, _, _ in fired] == list(range(40))
    assert all(at >= planned for _, planned, at in fired)
    assert [planned - fired[0][1] for _, planned, _ in fired] == pytest.approx([n * 0.005 for n in range(40)])
    assert fired[0][1] >= begin


async def test_answers_that_never_come_move_no_send():
    """With nothing answered, all sends still go out; the loop ends when the last is answered."""
    clock = MonotonicClock()
    started: list[int] = []
    release = asyncio.Event()

    async def fire(number: int, planned: float) -> None:
        started.append(number)
        if len(started) == 50:
            release.set()
        await release.wait()

    await asyncio.wait_for(
        open_loop(clock, itertools.islice(every(0.001), 50), fire, in_flight_max=50, shed=never), 20
    )
    assert len(started) == 50


async def test_what_is_over_the_limit_is_shed_and_said():
    """With 5 in flight and none coming back, every further one is handed to shed with its planned time."""
    clock = MonotonicClock()
    release = asyncio.Event()
    held_back: list[int] = []

    async def fire(number: int, planned: float) -> None:
        await release.wait()

    def shed(number: int, planned: float) -> None:
        held_back.append(number)
        if number == 19:
            release.set()

    await open_loop(clock, itertools.islice(every(0.001), 20), fire, in_flight_max=5, shed=shed)
    assert held_back == list(range(5, 20))


async def test_a_late_sender_catches_up_and_shuts_nothing_out():
    """After a stall of the loop what is due goes out at once, and others get their turns between."""
    clock = MonotonicClock()
    lateness: list[float] = []
    turns = 0

    async def fire(number: int, planned: float) -> None:
        lateness.append(clock.now() - planned)
        if number == 0:
            time.sleep(0.3)  # noqa: ASYNC251  # the stall

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await open_loop(clock, itertools.islice(every(0.001), 300), fire, in_flight_max=300, shed=never)
    task.cancel()
    assert len(lateness) == 300
    # The send that was due directly after the stall began waited it out, and says so.
    assert max(lateness) >= 0.29
    assert turns > 3


async def test_cancelling_ends_what_is_under_way():
    """Every coroutine in flight gets its cancellation before the loop itself is over."""
    clock = MonotonicClock()
    ended: list[int] = []
    enough = asyncio.Event()

    async def fire(number: int, planned: float) -> None:
        if number == 9:
            enough.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    task = asyncio.create_task(open_loop(clock, every(0.001), fire, in_flight_max=10, shed=lambda *_: None))
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == list(range(10))


async def test_a_mistake_in_a_send_surfaces():
    """An exception of fire ends the loop and is not swallowed."""

    async def fire(number: int, planned: float) -> None:
        raise KeyError("broken adapter")

    with pytest.raises(ExceptionGroup) as caught:
        await open_loop(MonotonicClock(), every(0.001), fire, in_flight_max=10, shed=never)
    assert caught.value.subgroup(KeyError) is not None


async def test_an_alarm_never_rings_early_and_can_be_used_again():
    """Whatever the span, waking comes at or after the moment; a past moment does not wait."""
    clock = MonotonicClock()
    async with alarm(clock) as bell:
        for span in (0.0, -1.0, 0.000001, 0.0004, 0.003, 0.02):
            due = clock.now() + span
            await bell.until(due)
            assert clock.now() >= due


async def test_an_alarm_survives_a_cancelled_wait():
    """The next wait has its own time, not the rest of the old one."""
    clock = MonotonicClock()
    async with alarm(clock) as bell:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await bell.until(clock.now() + 60)
        due = clock.now() + 0.01
        await asyncio.wait_for(bell.until(due), 20)
        assert clock.now() >= due


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_linux_uses_its_timerfd_and_a_simulated_clock_its_own_sleep():
    """The exact timer is in use where it is there."""

    class Simulated:
        def now(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            return None

    assert isinstance(alarm(MonotonicClock()), _TimerFd)
    assert isinstance(alarm(Simulated()), _Sleep)
