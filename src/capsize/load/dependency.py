"""The outside service that the tasks of the system call: capsize plays it, so that it can be as bad as one likes.

Every call is recorded when it arrives, so that what the service says of its circuit breaker can be laid
beside what really reached the other side.
"""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType

from capsize.core.clock import Clock
from capsize.core.errors import InjectionError
from capsize.core.events import Called, DependencyChanged, DependencyMode
from capsize.core.platform import Instance
from capsize.core.protocols import Record
from capsize.load.receiver import Odd, Receiver, response

NAME = "dependency"
PREFIX = "/calls/"
STATUS: dict[DependencyMode, int | None] = {
    "ok": 200,
    "slow": 200,
    "fail": 500,
    "hang": None,
    "garbage": None,
    # A call on a connection that was there before the listener went away.
    "refuse": 503,
}
GARBAGE = b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n"


class Dependency:
    """Answers ``POST {url}/calls/<key>`` on a free port as its mode says, and records each call. Use it as a context.

    ``ok``: 200 at once. ``slow``: 200 after ``slow_s``. ``fail``: 500. ``hang``: the call is taken and never
    answered. ``garbage``: bytes that are no HTTP. ``refuse``: nobody listens; the port stays taken, so that
    nobody else can answer there. A call keeps the mode in which it arrived. Tasks call it by ``called``, a host
    name perhaps; without it by the address on which it listens.
    """

    name = NAME

    def __init__(
        self, record: Record, clock: Clock, *, host: str = "127.0.0.1", called: str | None = None
    ) -> None:
        self._record, self._clock, self._called = record, clock, called
        self.host = host
        """Where it listens; not to be changed any more once it does."""
        self._connections: set[Receiver] = set()
        self._server: asyncio.Server | None = None
        self._mode: DependencyMode = "ok"
        self._slow_s = 0.0
        self._port = 0
        # Bound and never listening: it holds the port while the listener is away.
        self._guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    async def __aenter__(self) -> Dependency:
        self._guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._guard.bind((self.host, 0))
        self._port = self._guard.getsockname()[1]
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._guard.close()
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def mode(self) -> DependencyMode:
        """Return how it answers now."""
        return self._mode

    def url_for(self, key: str) -> str:
        """Return the address that the task of a submission is to call."""
        return f"http://{self._called or self.host}:{self._port}{PREFIX}{key}"

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the one instance that it is, unless another service is asked for."""
        if service not in (None, NAME):
            return ()
        return (Instance(name=NAME, service=NAME, pid=None, host=self.host, port=self._port, ready=True),)

    async def become(self, mode: DependencyMode, *, slow_s: float = 0.0) -> None:
        """Answer so from now on; calls that are waiting are left as they are."""
        if mode == "refuse":
            self._close()
        elif self._server is None:
            try:
                await self._listen()
            except OSError as error:
                raise InjectionError(f"the dependency can't listen on port {self._port}: {error}") from error
        changed = mode != self._mode
        self._slow_s, self._mode = slow_s, mode
        if changed:
            self._record(DependencyChanged(t=self._clock.now(), mode=mode))

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Receiver(self._answer, self._connections),
            self.host,
            self._port,
            backlog=1024,
            reuse_port=True,
        )

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str] | Odd:
        if not path.startswith(PREFIX):
            return 404, f"the dependency is called at {PREFIX}<key>\n"
        status = STATUS[self._mode]
        after_s = self._slow_s if self._mode == "slow" else 0.0
        self._record(
            Called(
                t=self._clock.now(),
                key=path.removeprefix(PREFIX),
                mode=self._mode,
                status=status,
                after_s=after_s,
            )
        )
        if status is None:
            return Odd(GARBAGE if self._mode == "garbage" else None)
        text = "ok\n" if status == 200 else "broken on purpose\n"
        return Odd(response(status, text, close=True), after_s) if after_s else (status, text)
