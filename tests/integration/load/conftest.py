"""Raw servers that do exactly what a test tells them, and both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

import msgspec
import pytest
import uvloop

from capsize.core.clock import MonotonicClock
from capsize.core.events import Event, Outcome
from capsize.core.http import Exchange, Request
from capsize.core.platform import Dependable, Instance
from capsize.core.system import ApiCall, TaskOrder
from capsize.load.progress import LiveProgress


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Run every test of this folder on asyncio's own loop and on uvloop."""
    return request.param()


@pytest.fixture
def clock() -> MonotonicClock:
    """Return a clock that has just begun."""
    return MonotonicClock()


class Peer:
    """One accepted connection, for a script: read a request, say bytes, close or reset."""

    def __init__(self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.server, self.reader, self.writer = server, reader, writer
        self.number = len(server.peers)
        server.peers.append(self)
        server.happened.set()

    async def request(self) -> bytes:
        """Read one request and keep it; raises IncompleteReadError at the end of the connection."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        whole = head + await self.reader.readexactly(length)
        self.server.note(whole)
        return whole

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection with an RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        """End the connection in order."""
        self.writer.close()

    async def gone(self) -> None:
        """Wait until the client has closed its side."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


Script = Callable[[Peer], Awaitable[None]]


class ScriptedServer:
    """A listener on a free port that plays a script on each connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self.requests: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.server: asyncio.Server | None = None
        self.port = 0
        self.happened = asyncio.Event()

    def note(self, request: bytes) -> None:
        """Keep what was seen."""
        self.requests.append(request)
        self.happened.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the peers or requests."""
        while not holds():
            self.happened.clear()
            await self.happened.wait()

    async def start(self) -> None:
        """Listen."""
        self.server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything; a script that is under way is ended."""
        assert self.server is not None
        self.server.close()
        for task in self.tasks:
            task.cancel()
        for peer in self.peers:
            peer.writer.transport.abort()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.port}"

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._play(Peer(self, reader, writer)))
        self.tasks.add(task)

    async def _play(self, peer: Peer) -> None:
        try:
            await self.script(peer)
        except (asyncio.IncompleteReadError, ConnectionError):
            peer.writer.close()


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[[Script], Awaitable[ScriptedServer]]]:
    """Return a function that starts a server with a script."""
    servers: list[ScriptedServer] = []

    async def start(script: Script) -> ScriptedServer:
        server = ScriptedServer(script)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


class FakeSystem:
    """A system with just what loads and probes ask for; it knows three calls."""

    name = "fake"
    lease_s = 1.0

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        return TaskOrder(type="delay", payload={"seconds": seconds}, key=key)

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:
        return TaskOrder(type="webhook", payload={"url": url, "timeout_s": timeout_s}, key=key)

    def unknown_order(self, key: str) -> TaskOrder | None:
        return TaskOrder(type="nonsense", payload={}, key=key)

    def breakers(self, auth: tuple[tuple[str, str], ...]) -> Request | None:
        return Request(method="GET", path="/circuits", headers=auth)

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        if exchange.response is None or exchange.response.status != 200:
            return None
        return msgspec.json.decode(exchange.response.body, type=dict[str, str])

    def cancel(self, task: str, auth: tuple[tuple[str, str], ...]) -> Request:
        return Request(method="POST", path=f"/tasks/{task}/cancel", headers=auth)

    def submit(self, order: TaskOrder, auth: tuple[tuple[str, str], ...]) -> Request:
        headers = (*auth, ("idempotency-key", order.key))
        return Request(method="POST", path="/tasks", headers=headers, body=msgspec.json.encode(order.payload))

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        if exchange.response is None:
            return ("info" if exchange.reached else "fail"), None
        if exchange.response.status == 201:
            return "ok", exchange.response.body.decode()
        return ("info" if exchange.response.status == 500 else "fail"), None

    def ready(self) -> Request:
        return Request(method="GET", path="/ready")

    def stats(self) -> Request:
        return Request(method="GET", path="/stats")

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        if exchange.response is None or exchange.response.status != 200:
            return None
        return msgspec.json.decode(exchange.response.body, type=dict[str, int])

    def api_calls(self, auth: tuple[tuple[str, str], ...]) -> tuple[ApiCall, ...]:
        return tuple(
            ApiCall(name=name, request=Request(method=method, path=path, headers=auth), expect=expect)
            for name, method, path, expect in (
                ("list", "GET", "/list", (200,)),
                ("add", "POST", "/add", (201, 409)),
                ("absent", "GET", "/absent", (404,)),
            )
        )


class FakePlatform:
    """An address, and whatever a test adds to it."""

    name = "fake"
    api_url = ""

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        return ()


class FakeStage:
    """A stage whose record is a list and whose service a test scripts."""

    def __init__(self, clock: MonotonicClock, url: str) -> None:
        self.clock = clock
        self.events: list[Event] = []
        self.grown = asyncio.Event()
        self.system = FakeSystem()
        self.platform = FakePlatform()
        self.platform.api_url = url
        self.progress = LiveProgress()
        self.seed = 11
        self.auth = (("authorization", "Bearer x"),)
        self.dependency: Dependable | None = None

    def record(self, event: Event) -> None:
        self.events.append(event)
        self.grown.set()

    async def until(self, holds: Callable[[list[Event]], bool]) -> None:
        """Wait until something holds of the events."""
        while not holds(self.events):
            self.grown.clear()
            await self.grown.wait()


@pytest.fixture
def stage_at(clock: MonotonicClock) -> Callable[[str], FakeStage]:
    """Return a function that gives a stage for a service's address."""
    return lambda url: FakeStage(clock, url)


@contextlib.asynccontextmanager
async def _running(run: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def running() -> Callable[[Coroutine[None, None, None]], contextlib.AbstractAsyncContextManager[object]]:
    """Return a context that runs a load or probe and cancels it at its end, as the runner does."""
    return _running
