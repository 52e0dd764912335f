"""One TCP connection of a link: the client's, or the one to the upstream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from capsize.proxy.flow import Flow
    from capsize.proxy.link import Link

_NO_LINGER = struct.pack("ii", 1, 0)
_TCP_CLOSE = 7
WRITE_HIGH_BYTES = 256 * 1024


def discard(data: bytes) -> None:
    """Take bytes that nobody wants any more."""


class Side:
    """An asyncio protocol whose ``data_received`` is an attribute: with no toxic, the other side's ``write`` itself.

    ``reads`` is the flow that begins here, ``writes`` the one that ends here. It is no subclass of
    asyncio.Protocol, since that has ``data_received`` as a method.
    """

    __slots__ = ("data_received", "ended", "link", "lost", "reads", "transport", "writes")

    reads: Flow
    writes: Flow

    def __init__(self, link: Link, first: Callable[[bytes], None]) -> None:
        self.link = link
        self.data_received = first
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.ended = False

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over."""
        # A cast and no isinstance: uvloop's transports do not inherit from asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        self.link.made(self)

    def eof_received(self) -> bool:
        """Pass the half-close on; the transport stays open for the other direction."""
        self.ended = True
        self.link.ended(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Pass a reset on, or note that the connection is closed."""
        self.lost = True
        self.data_received = discard
        self.link.gone(self, error)

    def pause_writing(self) -> None:
        """Let the other side read no more while this one's buffer is full."""
        self.writes.pause(self)

    def resume_writing(self) -> None:
        """Go on."""
        self.writes.resume(self)

    # ------------------------------------------------------------

    def take(self, receive: Callable[[bytes], None]) -> None:
        """Send what arrives from now on there."""
        if self.lost or self.transport is None:
            return
        self.data_received = receive
        # uvloop keeps the bound method that it found when the protocol was set.
        self.transport.set_protocol(cast(asyncio.BaseProtocol, self))

    def hold(self, paused: bool) -> None:
        """Stop reading, or go on."""
        transport = self.transport
        if transport is None or self.lost or self.ended or transport.is_closing():
            return
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def end(self) -> None:
        """Send the half-close."""
        transport = self.transport
        if transport is None or self.lost or transport.is_closing():
            return
        # The peer may be gone without our knowing yet.
        with contextlib.suppress(OSError, RuntimeError):
            transport.write_eof()

    def close(self) -> None:
        """Close when all that was written has gone out."""
        if self.transport is not None and not self.lost:
            self.transport.close()

    def abort(self, *, reset: bool) -> None:
        """Close at once; ``reset`` sends the peer an RST, whatever is still unsent."""
        transport = self.transport
        if transport is None or self.lost:
            return
        if reset:
            with contextlib.suppress(OSError):
                _socket(transport).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()

    def is_dead(self) -> bool:
        """Return whether the peer has reset the connection while we were not reading."""
        if self.transport is None or self.lost or not hasattr(socket, "TCP_INFO"):
            return False
        try:
            info = _socket(self.transport).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except OSError:
            return True
        return info[0] == _TCP_CLOSE


def _socket(transport: asyncio.Transport) -> socket.socket:
    return cast(socket.socket, transport.get_extra_info("socket"))
