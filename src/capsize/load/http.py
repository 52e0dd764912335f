"""The HTTP client under every load and probe: a pool of keep-alive connections to one address.

How a request can come out, and what is then certain:

- Refused, or not connected in time: no byte was sent, ``reached`` is False.
- Every connection in use: not sent, ``reached`` is False and the error begins with ``NOT_SENT``.
- Sent and answered in full: the answer, whatever its status.
- Sent, and then a reset, an early end, a time limit, or bytes that are no HTTP: indeterminate. It is never
  repeated here, not even on a kept connection that died before a byte of the answer: the service may have read
  the request. Instead the doubt is avoided. A kept connection is looked at for an end or a reset directly
  before the write; one that sat idle for two seconds is not used again (servers close theirs after about
  five); and only a write that the kernel refused as a whole goes out again on another connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from types import TracebackType
from urllib.parse import urlsplit

from capsize.core.clock import Clock
from capsize.core.errors import UsageError
from capsize.core.http import Exchange, Request
from capsize.load.connection import Connection, Limits

NOT_SENT = "not sent: "
"""How the error of a request begins that capsize itself held back: trouble of the instrument."""

CLOSED = f"{NOT_SENT}the client is closed"


class HttpClient:
    """Sends requests to one host and port; as many at once as there are callers, up to ``connections_max``.

    HTTP/1.1 without pipelining, over TLS when a context is given. A connection whose request failed or ran out of time is never used
    again. Memory is bounded: ``limits`` for each answer, times ``connections_max``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        *,
        connections_max: int = 512,
        idle_max_s: float = 2.0,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._clock = host, port, clock
        self._connections_max, self._idle_max_s, self._limits = connections_max, idle_max_s, limits
        self._tls = tls
        self._authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._connecting = 0
        self._closed = False

    @classmethod
    def to(cls, url: str, clock: Clock, *, connections_max: int = 512) -> HttpClient:
        """Return a client for ``http[s]://host[:port]``. Raises :class:`UsageError` for any other form."""
        host, port, secure = address(url)
        tls = ssl.create_default_context() if secure else None
        return cls(host, port, clock, connections_max=connections_max, tls=tls)

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, request: Request, timeout_s: float) -> Exchange:
        """Carry a request out within a limit that covers connecting, writing and reading.

        Returns for whatever the network does. When the caller is cancelled the connection is dropped.
        Raises ValueError for a request that can't be written as HTTP.
        """
        data = encode(request, self._authority)
        head_only = request.method == "HEAD"
        began = self._clock.now()
        deadline = began + timeout_s
        while True:
            kept = self._take()
            connection = kept or await self._connect(began, deadline, timeout_s)
            if isinstance(connection, Exchange):
                return connection
            waiter = connection.exchange(data, head_only=head_only, deadline=deadline, timeout_s=timeout_s)
            if waiter is not None:
                break
            if kept is None:
                return self._unreached(began, "the connection was closed as soon as it was open")
        try:
            return await waiter
        except asyncio.CancelledError:
            connection.abort()
            raise

    async def close(self) -> None:
        """Drop every connection; requests under way come out as indeterminate."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abort()
        # One turn of the loop, so that the transports are closed when this returns.
        await asyncio.sleep(0)

    # ------------------------------------------------------------ the pool

    def _take(self) -> Connection | None:
        """Return the connection that was used last, and drop those that have sat idle too long."""
        oldest = self._clock.now() - self._idle_max_s
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().abort()
        return self._idle.pop() if self._idle else None

    def _release(self, connection: Connection) -> None:
        self._idle.append(connection)

    def _gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def _connect(self, began: float, deadline: float, timeout_s: float) -> Connection | Exchange:
        """Open a connection; an Exchange that was not reached when it can't be."""
        if self._closed:
            return self._unreached(began, CLOSED)
        if len(self._open) + self._connecting >= self._connections_max:
            return self._unreached(began, f"{NOT_SENT}{self._connections_max} requests in flight")
        self._connecting += 1
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.now())):
                connection = await self._open_socket()
        except TimeoutError:
            return self._unreached(began, f"timed out after {timeout_s:g} s while connecting")
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            return self._unreached(began, f"can't connect: {reason.lower()}")
        finally:
            self._connecting -= 1
        if self._closed:
            connection.abort()
            return self._unreached(began, CLOSED)
        return connection

    async def _open_socket(self) -> Connection:
        """Connect to the first address of the host that answers. Raises OSError."""
        loop = asyncio.get_running_loop()
        refusal = OSError(f"the host {self._host} has no address")
        for family, address in await self._addresses(loop):
            sock = socket.socket(family, socket.SOCK_STREAM)
            connection = Connection(
                sock, self._clock, self._limits, self._release, self._gone, encrypted=self._tls is not None
            )
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(sock, address)
                await loop.create_connection(
                    lambda made=connection: made,
                    sock=sock,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
            except BaseException as error:
                connection.abort()
                sock.close()
                if not isinstance(error, OSError):
                    raise
                refusal = error
                continue
            self._open.add(connection)
            return connection
        raise refusal

    async def _addresses(
        self, loop: asyncio.AbstractEventLoop
    ) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
        if self._host.replace(".", "").isdigit():
            return [(socket.AF_INET, (self._host, self._port))]
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        return [(family, (str(address[0]), self._port)) for family, _, _, _, address in found]

    def _unreached(self, began: float, error: str) -> Exchange:
        return Exchange(sent=began, done=self._clock.now(), error=error, reached=False)


def address(url: str) -> tuple[str, int, bool]:
    """Return the host, the port and whether TLS is spoken there. Raises :class:`UsageError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise UsageError(f"{url!r} can't be driven: the address must have the form http[s]://host[:port]")
    secure = parts.scheme == "https"
    return parts.hostname, parts.port or (443 if secure else 80), secure


def encode(request: Request, authority: str) -> bytes:
    """Return a request as HTTP/1.1. Raises ValueError when a part of it would break out of its line."""
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {authority}"]
    typed = False
    for name, value in request.headers:
        typed = typed or name.lower() == "content-type"
        lines.append(f"{name}: {value}")
    if request.body:
        if not typed:
            lines.append("content-type: application/json")
        lines.append(f"content-length: {len(request.body)}")
    elif request.method in ("POST", "PUT", "PATCH"):
        lines.append("content-length: 0")
    head = "\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count("\n") != breaks or head.count("\r") != breaks or " " in request.path:
        raise ValueError(f"{request.method} {request.path!r} holds a line break or a blank where none may be")
    return head.encode("latin-1") + b"\r\n\r\n" + request.body
