"""A name server for one instance: well, lying, failing or silent, on a loopback address of its own."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import cast

from capsize.core.platform import NameTrouble

PORT = 53
TTL_S = 0
"""Nobody may remember an answer: a name that fails must fail now."""
A, AAAA, IN = 1, 28, 1
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
HEADER = struct.Struct("!HHHHHH")
RELAY_LIMIT_S = 5.0
ASKED_MAX = 512
RCODES: dict[NameTrouble, int] = {"nxdomain": NXDOMAIN, "servfail": SERVFAIL}


class Resolver(asyncio.DatagramProtocol):
    """Answers for ``known`` (lower-case names to IPv4 addresses) and hands other questions to ``upstream``.

    ``trouble`` is how it fails, None when it is well; ``met`` counts the questions that met it since.
    """

    def __init__(self, known: Mapping[str, str], upstream: tuple[str, int] | None) -> None:
        self.trouble: NameTrouble | None = None
        self.met = 0
        self._known, self._upstream = known, upstream
        self._transport: asyncio.DatagramTransport | None = None
        self._relays: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        # Not an isinstance: uvloop's transports are their own.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question; what is no question is dropped."""
        asked = question(data)
        if asked is None:
            return
        name, kind, _ = asked
        if self.trouble is not None:
            self.met += 1
            if self.trouble != "hang":
                self._send(answer(data, RCODES[self.trouble]), addr)
        elif name in self._known:
            self._send(answer(data, NOERROR, self._known[name] if kind == A else None), addr)
        elif self._upstream is None:
            self._send(answer(data, NXDOMAIN), addr)
        elif len(self._relays) < ASKED_MAX:
            task = asyncio.create_task(self._relay(data, addr, self._upstream), name=f"resolve {name}")
            self._relays.add(task)
            task.add_done_callback(self._relays.discard)

    def close(self) -> None:
        """Stop answering."""
        for task in self._relays:
            task.cancel()
        if self._transport is not None:
            self._transport.close()

    async def _relay(self, data: bytes, addr: tuple[str, int], upstream: tuple[str, int]) -> None:
        """Ask the machine's name server and pass on what it says; nothing when it says nothing."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        try:
            async with asyncio.timeout(RELAY_LIMIT_S):
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Once(answered), remote_addr=upstream
                )
                try:
                    transport.sendto(data)
                    self._send(await answered, addr)
                finally:
                    transport.close()
        except (OSError, TimeoutError):
            return

    def _send(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, addr)


class _Once(asyncio.DatagramProtocol):
    """Takes one answer."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)


def question(data: bytes) -> tuple[str, int, int] | None:
    """Return the name, the type, and where the question ends; None for what is no single question."""
    try:
        _, flags, count, *_ = HEADER.unpack_from(data)
        if flags & 0x8000 or count != 1:
            return None
        labels, place = [], HEADER.size
        while (length := data[place]) != 0:
            if length > 63:
                return None
            labels.append(data[place + 1 : place + 1 + length].decode("ascii"))
            place += 1 + length
        kind, _ = struct.unpack_from("!HH", data, place + 1)
        return ".".join(labels).lower(), kind, place + 5
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def answer(data: bytes, code: int, address: str | None = None) -> bytes:
    """Return the answer to a question that was read: a code, and an address if there is one."""
    asked = question(data)
    if asked is None:
        raise ValueError("no question")
    number, flags, *_ = HEADER.unpack_from(data)
    # An answer, by the one who knows, recursion as it was desired.
    header = HEADER.pack(number, 0x8480 | (flags & 0x0100) | code, 1, 1 if address else 0, 0, 0)
    body = header + data[HEADER.size : asked[2]]
    if address is None:
        return body
    octets = bytes(int(part) for part in address.split("."))
    return body + struct.pack("!HHHIH", 0xC000 | HEADER.size, A, IN, TTL_S, len(octets)) + octets
