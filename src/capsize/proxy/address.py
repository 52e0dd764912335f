"""``host:port`` in and out, and which hosts are this machine's own."""

from __future__ import annotations

import ipaddress

from capsize.proxy.errors import INVALID_ADDRESS

LOOPBACK = "127.0.0.1"


def parse(address: str) -> tuple[str, int]:
    """Return host and port of ``host:port``, ``[v6]:port``, ``:port`` or an empty text (any free port).

    An empty host is the loopback address. Raises ApiError 400.
    """
    if not address:
        return LOOPBACK, 0
    host, colon, port = address.rpartition(":")
    if not colon:
        raise INVALID_ADDRESS.because(f"{address!r} has no port")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise INVALID_ADDRESS.because(f"{port!r} is no port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise INVALID_ADDRESS.because(f"the IPv6 address of {address!r} must stand in brackets")
    return host or LOOPBACK, int(port)


def listening(address: str) -> tuple[str, int]:
    """Return where to listen: one address, where ``localhost`` could mean two with different free ports."""
    host, port = parse(address)
    return LOOPBACK if host == "localhost" else host, port


def text(host: str, port: int) -> str:
    """Return ``host:port`` with brackets where they are needed."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
