"""A service that stands still can't hide it: not by slowing the sender down, and not in the figures."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from capsize.core.http import Exchange, Request
from capsize.load.http import HttpClient
from capsize.load.schedule import arrivals, open_loop

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]

SERVER = """
import asyncio
from capsize.core.clock import MonotonicClock
from capsize.load.witness import Witness
async def main():
    async with Witness(lambda event: None, MonotonicClock()) as witness:
        print(witness.url, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[tuple[str, int]]:
    """Run a real server in a process of its own; gives its address and pid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip(), process.pid
    finally:
        process.kill()
        await process.wait()


async def test_each_request_that_was_due_in_a_freeze_shows_the_rest_of_it(clock):
    """SIGSTOP for 0.8 s at 100/s: every request planned in it is there, with a latency up to the end of it."""
    done: dict[float, Exchange] = {}
    async with server() as (url, pid), HttpClient.to(url, clock) as client:

        async def fire(number: int, planned: float) -> None:
            done[planned] = await client.send(Request(method="GET", path="/health"), 20.0)

        def shed(number: int, planned: float) -> None:
            raise AssertionError("held back")

        times = itertools.islice(arrivals(100.0), 180)
        sending = asyncio.create_task(open_loop(clock, times, fire, in_flight_max=500, shed=shed))
        await asyncio.sleep(0.3)
        os.kill(pid, signal.SIGSTOP)
        frozen = clock.now()
        await asyncio.sleep(0.8)
        thawed = clock.now()
        os.kill(pid, signal.SIGCONT)
        await sending

    assert len(done) == 180
    assert all(exchange.response is not None for exchange in done.values())
    # Ten milliseconds for the signal to take hold.
    within = {planned: one for planned, one in done.items() if frozen + 0.01 < planned < thawed}
    assert len(within) >= 70
    assert all(one.sent < thawed for planned, one in within.items() if planned < thawed - 0.3)
    assert all(one.done >= thawed for one in within.values())
    assert max(one.done - planned for planned, one in within.items()) >= 0.7
