"""A lease by the worker's own clock."""

import time
from collections.abc import Callable

from capsize_starter.handlers import LeaseLost


def lease_clock() -> float:
    """Seconds on a clock that never jumps and that also counts while the machine sleeps, where there is one."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """How long this process may act on a task.

    The deadline is counted from a moment before the statement that granted the lease was sent, so it passes here
    before the lease is over in the database, however long the answer took. No clocks are compared.
    """

    __slots__ = ("deadline", "lost")

    def __init__(self, asked_at: float, lease_s: float) -> None:
        self.deadline = asked_at + lease_s
        self.lost: str | None = None
        """Why the lease was given up, once it was."""

    def renewed(self, asked_at: float, lease_s: float) -> None:
        self.deadline = max(self.deadline, asked_at + lease_s)

    def held(self, clock: Callable[[], float] = lease_clock) -> bool:
        return self.lost is None and clock() < self.deadline

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease is held now."""
        if not self.held():
            raise LeaseLost(self.lost or "the lease is over")
