"""Something to put a proxy in front of: servers on real sockets, and a proxy between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from capsize.proxy import Proxies, Proxy, ProxyInput, reading

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT_S = 30.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, to the end."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    writer.close()


class Upstream:
    """A server that remembers what it received."""

    def __init__(self, serve: Serve = echo) -> None:
        self._serve = serve
        self._server: asyncio.Server | None = None
        self.port = 0
        self.received = bytearray()
        self.ends: list[str] = []

    async def __aenter__(self) -> Upstream:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(_Remembering(reader, self), writer)  # type: ignore[arg-type]


class _Remembering:
    """A reader that notes what passed, and how it ended."""

    def __init__(self, reader: asyncio.StreamReader, upstream: Upstream) -> None:
        self._reader, self._upstream = reader, upstream

    async def read(self, size: int) -> bytes:
        try:
            data = await self._reader.read(size)
        except ConnectionError:
            self._upstream.ends.append("reset")
            raise
        if not data:
            self._upstream.ends.append("eof")
        self._upstream.received += data
        return data


@contextlib.asynccontextmanager
async def proxied(port: int, **fields: Any) -> AsyncIterator[Proxy]:
    """Put a proxy in front of a port."""
    async with Proxies(seed=7) as proxies:
        yield await proxies.create(ProxyInput(name="p", upstream=f"127.0.0.1:{port}", **fields))


def add(proxy: Proxy, kind: str, stream: str = "downstream", **fields: Any) -> Any:
    """Add a toxic; ``fields`` of the toxic itself are recognised by name, all others are attributes."""
    own = {key: fields.pop(key) for key in ("toxicity", "ttl", "first_n", "name") if key in fields}
    given = reading.ToxicInput(type=kind, stream=stream, attributes=fields, **own)
    attached = reading.toxic(given, proxy.seed)
    proxy.toxics.add(attached)
    return attached


def rule(proxy: Proxy, kind: str, match: dict[str, Any], call: Any = None, **fields: Any) -> Any:
    """Add a rule."""
    own = {key: fields.pop(key) for key in ("probability", "first_n", "skip", "ttl", "name") if key in fields}
    if kind == "callback" and call is not None:
        fields["url"] = "http://in.process"
    made = reading.rule(reading.RuleInput(type=kind, match=match, attributes=fields, **own), proxy.seed)
    made.call = call
    proxy.rules.add(made)
    return made


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect through a proxy."""
    host, _, port = proxy.listen.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes = b"ping") -> bytes:
    """Send something and return as much of an answer."""
    writer.write(data)
    async with asyncio.timeout(LIMIT_S):
        return await reader.readexactly(len(data))


async def silent(reader: asyncio.StreamReader, seconds: float = 0.3) -> bool:
    """Return whether nothing comes for a while."""
    try:
        async with asyncio.timeout(seconds):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def how_it_ends(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Return all that comes, and whether it ended by ``eof`` or ``reset``."""
    received = bytearray()
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                data = await reader.read(65536)
            except ConnectionError:
                return bytes(received), "reset"
            if not data:
                return bytes(received), "eof"
            received += data


def database_url(port: int) -> str:
    """Return what to connect to for the server of the proxy's tests."""
    return f"postgresql://postgres:secret@127.0.0.1:{port}/postgres"
