"""Ports on loopback: free ones that stay ours while nothing listens, and who holds a taken one."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import psutil

from capsize.core.errors import StartError

HOST = "127.0.0.1"
FIRST, LAST = 15000, 65000
TRIES = 200
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_dice = random.SystemRandom()


def free_port(taken: set[int]) -> int:
    """Return a free port outside the range from which the kernel gives ports to outgoing connections.

    A service keeps its port while it is down. From inside that range the kernel could hand the port to a
    client in the meantime, even to the one that is trying to reach it.
    """
    low, high = _ephemeral()
    for _ in range(TRIES):
        port = _dice.randint(FIRST, LAST)
        if port not in taken and not low <= port <= high and is_free(port):
            return port
    raise StartError(f"no free port found between {FIRST} and {LAST} in {TRIES} tries")


def is_free(port: int) -> bool:
    """Return whether a service could listen there now."""
    with socket.socket() as probe:
        # As servers do: remains of old connections do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def claim(port: int, instance: str) -> int:
    """Return a port that was asked for by number. Raises StartError, naming who holds it."""
    if is_free(port):
        return port
    raise StartError(
        f"{instance} should listen on port {port}, which is taken by {holder(port)}. "
        "Stop that program, or set PORT to another port (0 takes a free one)"
    )


def holder(port: int) -> str:
    """Return who listens on a port, in words."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.laddr and found.laddr.port == port and found.status == psutil.CONN_LISTEN and found.pid:
                return f"{psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return "a program of another user"


def _ephemeral() -> tuple[int, int]:
    try:
        low, high = _EPHEMERAL.read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return 49152, 65535
