"""Which runs go side by side, how many at once, and in which order."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from capsize.core.experiment import Experiment
from capsize.scenarios.minimum import least_s

JOBS_PER_CORE = 2
"""So many stacks share a core in ``auto``: measured, see ``docs/timings.md``; with more, starts take too long."""
STACK_BYTES = 800 << 20
"""Room that one stack and the process that watches it are given."""

Jobs = int | Literal["auto"]


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, as indices in the order in which they are begun, of which ``jobs`` are under way at once."""

    numbers: tuple[int, ...]
    jobs: int


def rounds(experiments: Sequence[Experiment], jobs: Jobs, alone: Collection[str]) -> tuple[Round, ...]:
    """Return the rounds of an invocation.

    The longest run is begun first, since it would otherwise be what all wait for in the end. In ``auto`` the
    scenarios named in ``alone`` come last and one by one; a number of jobs that was asked for takes all.
    """
    order = sorted(range(len(experiments)), key=lambda number: -least_s(experiments[number]))
    if jobs != "auto":
        return (Round(numbers=tuple(order), jobs=jobs),)
    shared = tuple(number for number in order if experiments[number].scenario not in alone)
    apart = tuple(number for number, experiment in enumerate(experiments) if experiment.scenario in alone)
    found = (Round(numbers=shared, jobs=auto_jobs()), Round(numbers=apart, jobs=1))
    return tuple(one for one in found if one.numbers)


def auto_jobs() -> int:
    """Return how many stacks this machine bears side by side, by its cores and its free memory."""
    import psutil

    by_memory = psutil.virtual_memory().available // STACK_BYTES
    return max(1, min(_cores() * JOBS_PER_CORE, by_memory))


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
