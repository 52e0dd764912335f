"""Compare ASGI servers under the starter's own API: start-up, requests per second, and a clean end.

    python benchmarks/asgi_server.py --database-url postgresql://postgres@127.0.0.1:5432/postgres

Each round starts each server in turn, so that whatever else the machine does meets all alike. Start-up is the
time from spawning the process to the first 200 of `/health/live`, polled with a fresh connection every 2 ms. The
rates are those of 32 keep-alive connections, one request at a time each, driven from another process. The CPU
figures are those of all processes of the server; on a busy machine they say more than the clock. `orphaned` is 1
when something still answers on the port after SIGKILL of the process that was started. granian is not a dependency of the project: `pip install granian` first, or leave it out with `--servers uvicorn`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections import defaultdict

import psutil
import uvloop

CONNECTIONS = 32


def command(server: str, port: int) -> list[str]:
    """The command line of a server."""
    if server == "uvicorn":
        code = "import sys; from capsize_starter.api import run_server; sys.exit(run_server())"
        return [sys.executable, "-c", code]
    return [
        sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--loop", "uvloop", "--no-ws",
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "capsize_starter.api:create_app",
    ]  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A server process that answers."""

    def __init__(self, server: str, database_url: str) -> None:
        self.port = free_port()
        env = os.environ | {"DATABASE_URL": database_url, "PORT": str(self.port)}
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command(server, self.port), env=env, stdout=subprocess.DEVNULL, start_new_session=True
        )
        while not self.answers():
            if self.process.poll() is not None:
                raise SystemExit(f"{server} ended with {self.process.returncode}")
            time.sleep(0.002)
        self.startup_s = time.perf_counter() - began
        self.startup_cpu_s = self.cpu_s()

    def tree(self) -> list[psutil.Process]:
        """The process and all its children."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds used so far, by all processes."""
        return sum(sum(one.cpu_times()[:2]) for one in self.tree())

    def orphaned(self) -> bool:
        """Kill the process that was started and say whether the port still answers; ends what is left."""
        tree = self.tree()
        self.process.kill()
        self.process.wait()
        time.sleep(0.5)
        left = self.answers()
        for one in tree[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        return left

    def answers(self) -> bool:
        """Whether `/health/live` says 200 now."""
        try:
            return self.call("GET", "/health/live")[0] == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def token(self) -> str:
        """The token of a fresh user."""
        user = {"email": f"{uuid.uuid4().hex}@bench.example", "password": "correct horse"}
        self.call("POST", "/auth/register", user)
        return str(json.loads(self.call("POST", "/auth/login", user)[1])["token"])

    def stop(self) -> tuple[float, int]:
        """End by SIGTERM; seconds and exit code."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        return time.perf_counter() - began, code


class Client(asyncio.Protocol):
    """Sends one request again and again on one connection and counts the answers."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.buffer = b""
        self.count = 0
        self.bad = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self.count += 1
        self.bad += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        self.buffer = b""
        self.transport.write(self.request)  # type: ignore[attr-defined]


async def rate(port: int, request: bytes, seconds: float) -> tuple[int, float]:
    """How many good answers there were in all, and how many per second once it ran."""
    loop = asyncio.get_running_loop()
    clients = [Client(request) for _ in range(CONNECTIONS)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.sleep(0.5)
    before, began = sum(client.count for client in clients), time.perf_counter()
    await asyncio.sleep(seconds)
    total, elapsed = sum(client.count for client in clients) - before, time.perf_counter() - began
    if any(client.bad for client in clients):
        raise SystemExit("there were bad answers")
    for client in clients:
        client.transport.close()
    return sum(client.count for client in clients), total / elapsed


def one_round(server: str, database_url: str, seconds: float) -> dict[str, float]:
    """Everything measured of one server, once."""
    running = Running(server, database_url)
    get = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    body = json.dumps({"type": "bench", "payload": {"seconds": 0}}).encode()
    post = (
        f"POST /tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {running.token()}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
    found = {"startup_ms": running.startup_s * 1000, "startup_cpu_ms": running.startup_cpu_s * 1000}
    for name, request in (("get_live", get), ("post_tasks", post)):
        before = running.cpu_s()
        count, per_second = uvloop.run(rate(running.port, request, seconds))
        found |= {f"{name}_per_s": per_second, f"{name}_cpu_us": (running.cpu_s() - before) / count * 1e6}
    stop_s, code = running.stop()
    found |= {"stop_ms": stop_s * 1000, "exit_code": code}
    return found | {"orphaned": float(Running(server, database_url).orphaned())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--servers", default="uvicorn,granian")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(args.rounds):
        for server in args.servers.split(","):
            for name, value in one_round(server, args.database_url, args.seconds).items():
                figures[server][name].append(value)
    for server, found in figures.items():
        for name, values in found.items():
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"{server:10} {name:18} median {middle:9.1f}   min {low:9.1f}   max {high:9.1f}")


if __name__ == "__main__":
    main()
