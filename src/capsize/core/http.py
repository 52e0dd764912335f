"""HTTP as data: what is sent, what is answered, and what is certain about an exchange."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to the service's API; ``body`` is JSON text or empty."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. Header names are lower case."""

    status: int
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """How one request came out, with the run's times: the answer, or what went wrong.

    ``reached`` is False only when it is certain that no byte of the request reached the service (connection
    refused): then the request had no effect. ``timed_out`` and other errors with ``reached`` True are
    indeterminate.
    """

    sent: float
    done: float
    response: Response | None = None
    error: str | None = None
    reached: bool = True


Send = Callable[[Request, float], Awaitable[Exchange]]
"""Carries out a request within a limit in seconds; never raises for what the network does."""
