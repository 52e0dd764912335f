"""How long what is being done now may last, for guards that are not told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec


class Lifetime(msgspec.Struct, frozen=True):
    """The strike that is under way, and the seconds after which it must be healed."""

    strike: str
    ttl_s: float


CURRENT: ContextVar[Lifetime | None] = ContextVar("capsize_lifetime", default=None)


@contextmanager
def lasting(strike: str, ttl_s: float) -> Iterator[None]:
    """Give what is told to a guard in the body, and in the tasks and threads that it starts, this time to live."""
    token = CURRENT.set(Lifetime(strike, ttl_s))
    try:
        yield
    finally:
        CURRENT.reset(token)
