"""Looks that tell whether an instance is ready: one short try each, True or False, never raising."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.ports import HOST

LOOK_LIMIT_S = 2.0

Look = Callable[[], Awaitable[bool]]

PROTOCOL_3 = 196608


def at_once() -> Look:
    """Return the look of a service that is ready as soon as it runs."""

    async def look() -> bool:
        return True

    return look


def log_line(log: InstanceLog, text: str) -> Look:
    """Return a look for a text in what the instance wrote since its start."""

    async def look() -> bool:
        return log.holds(text)

    return look


def http_ok(port: int, path: str) -> Look:
    """Return a look for an answer of 200 at a path."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def look() -> bool:
        status = (await _ask(port, request, lambda reader: reader.readline())).split(b" ", 2)
        return len(status) > 1 and status[1] == b"200"

    return look


def postgres_answers(port: int, user: str, database: str) -> Look:
    """Return a look for a PostgreSQL that lets a user in; one that still recovers turns it away."""
    fields = b"".join(part.encode() + b"\0" for part in ("user", user, "database", database)) + b"\0"
    hello = struct.pack("!II", len(fields) + 8, PROTOCOL_3) + fields

    async def look() -> bool:
        # "R": authentication goes on, or is done. "E": an error, such as "the database system is starting up".
        return await _ask(port, hello, lambda reader: reader.read(1)) == b"R"

    return look


async def _ask(
    port: int, question: bytes, answer: Callable[[asyncio.StreamReader], Awaitable[bytes]]
) -> bytes:
    """Send a question on a new connection and return what the answer begins with; nothing when there is none."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(LOOK_LIMIT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(question)
            return await answer(reader)
    except (OSError, TimeoutError, ValueError):
        return b""
    finally:
        if writer is not None:
            writer.close()
