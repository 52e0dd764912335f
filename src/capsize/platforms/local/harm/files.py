"""No file descriptors left: the limit of each process lowered to what it holds."""

from __future__ import annotations

import os
import resource

from capsize.core.errors import InjectionError, Missed
from capsize.core.undo import Guard
from capsize.guardian import tree
from capsize.platforms.local.harm.limits import Limits


class FileLimits:
    """Lowers and restores ``RLIMIT_NOFILE``. A process that is started later has the usual limit."""

    def __init__(self, guard: Guard) -> None:
        self._limits = Limits(resource.RLIMIT_NOFILE, guard)

    def lower(self, instance: str, leader: int, spare: int) -> str:
        """Leave each process of an instance so many free descriptors. Raises Missed and InjectionError."""
        told: list[str] = []
        for process in tree.members(leader):
            try:
                soft = limit_for({int(number) for number in os.listdir(f"/proc/{process.pid}/fd")}, spare)
            except FileNotFoundError:
                continue
            before = self._limits.lower(instance, process.pid, soft)
            if before is not None:
                told.append(f"process {process.pid}: {soft} of {_words(before)}")
        if not told:
            raise Missed(f"{instance} was not running")
        if not any(process.pid == leader for process in tree.members(leader)):
            raise InjectionError(f"{instance} ended while its descriptors were being limited")
        return "; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")

    def restore(self, instance: str) -> None:
        """Give the limits back. Raises HealError."""
        self._limits.restore(instance)

    def forget(self) -> None:
        """All processes are gone."""
        self._limits.forget()


def limit_for(held: set[int], spare: int) -> int:
    """Return the limit under which exactly ``spare`` more descriptors can be had.

    The limit is on the number of a descriptor, and the lowest free one is given: holes count as free.
    """
    number, free = 0, 0
    while number in held or free < spare:
        free += number not in held
        number += 1
    return number


def _words(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
