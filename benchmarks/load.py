"""Capsize's HTTP load beside its peers, in one run, against one server.

    python -m venv build/load-peers && build/load-peers/bin/pip install -r benchmarks/requirements-load.txt
    python benchmarks/load.py [--rounds 5] [--seconds 3] [--write docs/benchmarks.md]

The server (a bare protocol on uvloop that answers without parsing) has one core, the client under test another.
Clients take turns in each round, so that whatever else the machine does meets all alike; the medians of the
rounds are reported, and the ratios are what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / "build" / "load-peers" / "bin" / "python"
CONCURRENCY = 32
FREEZE_S = 2.0
CLIENTS = {
    "capsize": "capsize, client alone",
    "capsize_journal": "capsize, each request judged and journalled",
    "aiohttp": "aiohttp on uvloop",
    "locust": "Locust FastHttpUser",
    "httpx": "httpx on uvloop",
}
SENDERS = {"schedule": "capsize", "sleep": "asyncio.sleep", "floor": "floor: time.sleep, sending nothing"}


class Answerer(asyncio.Protocol):
    """Answers whatever ends like the benchmark's body; parses nothing."""

    ANSWER = (
        b'HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"id":"abc"}'
    )

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the body is there; a client may send it apart from the head."""
        if data.endswith(b"}"):
            self.transport.write(self.ANSWER)


async def serve() -> None:
    """Listen on a free port, print it and serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answerer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def server() -> Iterator[tuple[str, int]]:
    """Run the server on the last core; gives its address and pid."""
    process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid
    finally:
        process.kill()
        process.wait()


def start(client: str, url: str, seconds: float, concurrency: int, *rest: object) -> subprocess.Popen[str]:
    """Start one client in a process of its own."""
    python = str(PEERS) if client in ("aiohttp", "locust", "httpx") else sys.executable
    # -P: this folder holds a queue.py, which is not the one that libraries mean.
    arguments = [python, "-P", str(HERE / "load_clients.py"), client, url, seconds, concurrency, *rest]
    return subprocess.Popen([str(one) for one in arguments], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a client and return what it printed last."""
    out, _ = process.communicate(timeout=120)
    if process.returncode != 0:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}")
    measured: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    if measured["failed"]:
        print(f"note: {measured['failed']} requests failed: {process.args!r}", file=sys.stderr)
    return measured


def throughput(url: str, rounds: int, seconds: float) -> list[str]:
    """Return the table of POSTs per second and core."""
    rates: dict[str, list[tuple[float, float]]] = {client: [] for client in CLIENTS}
    for number in range(rounds):
        for client in CLIENTS:
            one = finish(start(client, url, seconds, CONCURRENCY))
            rates[client].append((one["done"] / one["wall_s"], one["done"] / one["cpu_s"]))
            print(f"round {number + 1}: {client} {rates[client][-1][0]:,.0f}/s", file=sys.stderr)
    lines = [
        "| client | POST/s | POST per second of its CPU | beside Locust |",
        "| --- | ---: | ---: | ---: |",
    ]
    for client, name in CLIENTS.items():
        wall, cpu = (statistics.median(column) for column in zip(*rates[client], strict=True))
        ratios = [mine[1] / other[1] for mine, other in zip(rates[client], rates["locust"], strict=True)]
        lines.append(f"| {name} | {wall:,.0f} | {cpu:,.0f} | {statistics.median(ratios):.2f}x |")
    return lines


def lateness(url: str, rounds: int, seconds: float) -> list[str]:
    """Return the table of how late requests go out; the medians over the rounds of each percentile."""
    lines = [
        "| rate | sender | late p50 | late p99 | p99, best round | late max |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for rate in (500, 1000, 2000):
        figures: dict[str, list[list[float]]] = {timer: [] for timer in SENDERS}
        for _ in range(rounds):
            for timer, found in figures.items():
                found.append(finish(start(timer, url, seconds, 1, rate))["late"])
                print(f"{rate}/s {timer}: {[f'{one * 1e3:.3f}' for one in found[-1]]} ms", file=sys.stderr)
        for timer, name in SENDERS.items():
            p50, p99, worst = (
                statistics.median(column) * 1e3 for column in zip(*figures[timer], strict=True)
            )
            best = min(one[1] for one in figures[timer]) * 1e3
            lines.append(
                f"| {rate}/s | {name} | {p50:.3f} ms | {p99:.3f} ms | {best:.3f} ms | {worst:.2f} ms |"
            )
    return lines


def frozen(url: str, pid: int) -> list[str]:
    """Return the table of what each reports when the server stands still for two of ten seconds."""
    lines = ["| sender at 500/s | requests | p50 | p99 | max |", "| --- | ---: | ---: | ---: | ---: |"]
    for client, name in (("schedule", "capsize, open loop"), ("locust", "Locust, 10 users, closed loop")):
        process = start(client, url, 10.0, 10, 500)
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        time.sleep(3.0)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(FREEZE_S)
        os.kill(pid, signal.SIGCONT)
        one = finish(process)
        lines.append(
            f"| {name} | {one['done']:,} | "
            + " | ".join(f"{figure:.3f} s" for figure in one["latency"])
            + " |"
        )
    return lines


def report(rounds: int, seconds: float) -> str:
    """Measure everything and return the section."""
    with server() as (url, pid):
        tables = (throughput(url, rounds, seconds), lateness(url, rounds, seconds), frozen(url, pid))
    fast, late, still = ("\n".join(lines) for lines in tables)
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"""## Load

Made by `python benchmarks/load.py` ({where}); medians of {rounds} rounds of {seconds:g} s in which the clients
took turns, {CONCURRENCY} requests at once, client and server on a core each. The machine was shared: the ratios count.

{fast}

How late a request goes out after its planned time, both senders with capsize's client on uvloop; the floor is how late
the same machine woke a process that did nothing else, in turn with them:

{late}

The server is frozen (SIGSTOP) for {FREEZE_S:g} of 10 seconds. In an open loop every request that was due meanwhile waits,
and counts from its planned time; a closed loop has one waiting request per user, and its p99 says all was well:

{still}
"""


def main() -> None:
    """Measure, print, and write the section into a file when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        uvloop.run(serve())
        return
    if not PEERS.exists():
        raise SystemExit(f"the peers are missing; see the top of {Path(__file__).name}")
    section = report(options.rounds, options.seconds)
    print(section)
    if options.write:
        write(options.write, section)


def write(path: Path, section: str) -> None:
    """Put the section in place of the one that is there, or at the end; other sections stay."""
    text = path.read_text() if path.exists() else "# Benchmarks\n"
    pattern = re.compile(r"^## Load\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n", text)
    else:
        text = text.rstrip("\n") + "\n\n" + section
    path.write_text(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
