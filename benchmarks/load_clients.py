"""One HTTP client at a time, run by benchmarks/load.py in a process of its own; prints one line of JSON.

``python load_clients.py CLIENT URL SECONDS CONCURRENCY [RATE]``. The imports stand in the functions: a client's
packages may be missing where another one runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

BODY = b'{"type":"delay","payload":{"seconds":0.0}}'


async def closed_loop(
    post: Callable[[], Awaitable[bool]], seconds: float, concurrency: int
) -> dict[str, float]:
    """Post from ``concurrency`` coroutines for a time; returns counts, wall and CPU time."""
    counts = [0, 0]

    async def user(until: float) -> None:
        while time.perf_counter() < until:
            counts[await post()] += 1

    warm = time.perf_counter() + 0.5
    await asyncio.gather(*(user(warm) for _ in range(concurrency)))
    counts[:] = [0, 0]
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(user(began + seconds) for _ in range(concurrency)))
    return {
        "failed": counts[0],
        "done": counts[1],
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
    }


async def capsize(url: str, seconds: float, concurrency: int) -> dict[str, float]:
    """Capsize's client alone."""
    from capsize.core.clock import MonotonicClock
    from capsize.core.http import Request
    from capsize.load.http import HttpClient

    request = Request(method="POST", path="/tasks", body=BODY)
    async with HttpClient.to(url, MonotonicClock()) as client:

        async def post() -> bool:
            exchange = await client.send(request, 10.0)
            return exchange.response is not None and exchange.response.status == 201

        return await closed_loop(post, seconds, concurrency)


async def capsize_journal(url: str, seconds: float, concurrency: int) -> dict[str, float]:
    """Capsize's client as a run uses it: every request judged and written to the journal."""
    from capsize.core.clock import MonotonicClock
    from capsize.core.http import Request
    from capsize.journal import Journal
    from capsize.load.calls import Caller, expecting
    from capsize.load.http import HttpClient

    request, clock = Request(method="POST", path="/tasks", body=BODY), MonotonicClock()
    judge = expecting(request, (201,))
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "history.jsonl")
        async with HttpClient.to(url, clock) as client:
            caller = Caller("bench", client.send, clock, journal.record, 10.0)

            async def post() -> bool:
                return (await caller.call("post", request, clock.now(), judge)).outcome == "ok"

            return await closed_loop(post, seconds, concurrency)


async def aiohttp(url: str, seconds: float, concurrency: int) -> dict[str, float]:
    """aiohttp's client on uvloop."""
    import aiohttp as library

    connector = library.TCPConnector(limit=concurrency)
    headers = {"content-type": "application/json"}
    async with library.ClientSession(connector=connector, headers=headers) as session:

        async def post() -> bool:
            async with session.post(f"{url}/tasks", data=BODY) as answer:
                await answer.read()
                return answer.status == 201

        return await closed_loop(post, seconds, concurrency)


async def httpx(url: str, seconds: float, concurrency: int) -> dict[str, float]:
    """httpx on uvloop."""
    import httpx as library

    headers = {"content-type": "application/json"}
    limits = library.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with library.AsyncClient(limits=limits, headers=headers) as client:

        async def post() -> bool:
            return (await client.post(f"{url}/tasks", content=BODY)).status_code == 201

        return await closed_loop(post, seconds, concurrency)


def locust(url: str, seconds: float, concurrency: int, rate: float = 0.0) -> dict[str, Any]:
    """Locust's FastHttpUser in its local runner; with a rate, its users share it (constant_throughput)."""
    import locust as library
    from gevent import sleep
    from locust.env import Environment

    class Poster(library.FastHttpUser):
        host = url
        wait_time = library.constant_throughput(rate / concurrency) if rate else library.constant(0)

        @library.task
        def post(self) -> None:
            self.client.post("/tasks", data=BODY, headers={"content-type": "application/json"})

    environment = Environment(user_classes=[Poster])
    runner = environment.create_local_runner()
    runner.start(concurrency, spawn_rate=concurrency)
    sleep(0.5)
    environment.stats.reset_all()
    began, cpu = time.perf_counter(), time.process_time()
    if rate:
        print("steady", flush=True)
    sleep(seconds)
    total = environment.stats.total
    measured = {
        "failed": total.num_failures,
        "done": total.num_requests - total.num_failures,
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "latency": [
            (total.get_response_time_percentile(0.5) or 0) / 1e3,
            (total.get_response_time_percentile(0.99) or 0) / 1e3,
            (total.max_response_time or 0) / 1e3,
        ],
    }
    runner.quit()
    return measured


async def open_loop(url: str, seconds: float, timer: str, rate: float) -> dict[str, Any]:
    """Send at planned times with capsize's client; by capsize's schedule, or by asyncio.sleep."""
    import itertools

    from capsize.core.clock import MonotonicClock
    from capsize.core.http import Request
    from capsize.load import schedule
    from capsize.load.http import HttpClient

    request, clock = Request(method="POST", path="/tasks", body=BODY), MonotonicClock()
    late: list[float] = []
    latency: list[float] = []
    failed = 0

    async with HttpClient.to(url, clock, connections_max=5000) as client:

        async def fire(number: int, planned: float) -> None:
            nonlocal failed
            exchange = await client.send(request, 10.0)
            failed += exchange.response is None
            late.append(exchange.sent - planned)
            latency.append(exchange.done - planned)

        def shed(number: int, planned: float) -> None:
            nonlocal failed
            failed += 1

        count = int(rate * seconds)
        await asyncio.gather(*(client.send(request, 10.0) for _ in range(8)))
        print("steady", flush=True)
        if timer == "schedule":
            times = itertools.islice(schedule.arrivals(rate), count)
            await schedule.open_loop(clock, times, fire, in_flight_max=5000, shed=shed)
        else:
            tasks = []
            begin = clock.now()
            for number in range(count):
                planned = begin + number / rate
                await asyncio.sleep(max(0.0, planned - clock.now()))
                tasks.append(asyncio.create_task(fire(number, planned)))
            await asyncio.gather(*tasks)
    return {"failed": failed, "done": len(latency), "late": figures(late), "latency": figures(latency)}


def floor(seconds: float, rate: float) -> dict[str, Any]:
    """Wake up at the same times with time.sleep and do nothing: what the machine allows anybody just now."""
    begin = time.perf_counter()
    late: list[float] = []
    for number in range(int(rate * seconds)):
        planned = begin + number / rate
        time.sleep(max(0.0, planned - time.perf_counter()))
        late.append(time.perf_counter() - planned)
    return {"failed": 0, "late": figures(late)}


def figures(values: list[float]) -> list[float]:
    """Return median, 99th percentile and greatest, in seconds."""
    ordered = sorted(values)
    return [ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], ordered[-1]]


def main() -> None:
    """Run one client on one core and print what it measured."""
    client, url, seconds, concurrency, *rest = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rate = float(rest[0]) if rest else 0.0
    measured: dict[str, Any]
    if client == "locust":
        measured = locust(url, float(seconds), int(concurrency), rate)
    elif client == "floor":
        measured = floor(float(seconds), rate)
    else:
        import uvloop

        if client in ("schedule", "sleep"):
            measured = uvloop.run(open_loop(url, float(seconds), client, rate))
        else:
            run = {"capsize": capsize, "capsize_journal": capsize_journal, "aiohttp": aiohttp, "httpx": httpx}
            measured = uvloop.run(run[client](url, float(seconds), int(concurrency)))
    print(json.dumps(measured), flush=True)
    # gevent's greenlets and open connections need no farewell.
    os._exit(0)


if __name__ == "__main__":
    main()
