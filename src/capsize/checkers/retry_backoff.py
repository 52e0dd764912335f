"""retry_backoff: what failed is not tried again at once."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, seconds, verdict_of
from capsize.checkers.lives import lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result

EARLY = 0.9
"""The wait is measured at the witness, the service's own begins a commit later: this much of it must be seen."""


class RetryBackoff(msgspec.Struct, frozen=True, kw_only=True):
    """After its n-th failed attempt a task waits at least ``jitter`` x ``base_s`` x 2^(n-1), ``max_s`` at most.

    From the announcement of the failure to that of the next run. Runs that were lost with their worker or given
    up are no failed attempts; what follows them may begin at once. UNKNOWN when no failed task was tried again.
    """

    name: ClassVar[str] = "retry_backoff"

    base_s: float
    jitter: float = 0.5
    max_s: float = 300.0

    def check(self, history: History) -> Result:
        """Measure the wait after each failed run that was followed by another."""
        waits: list[float] = []
        found: list[tuple[str, str]] = []
        for life in lives(history):
            failed = 0
            for run, after in pairwise(sorted(life.runs, key=lambda one: one.began)):
                if run.how != "failed" or run.ended is None:
                    continue
                failed += 1
                wait = after.began - run.ended
                waits.append(wait)
                least = self.jitter * min(self.max_s, self.base_s * 2.0 ** (failed - 1))
                if wait < least * EARLY:
                    found.append(
                        (
                            life.task,
                            f"task {life.task} was tried again {wait:.2f} s after failed attempt {failed}; "
                            f"at least {least:.2f} s were to pass",
                        )
                    )
        summary = f"{counted(len(waits), 'failed attempt')} tried again, the soonest after {min(waits, default=0):.2f} s"
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=not waits),
            summary=found[0][1] if found else summary if waits else "no failed task was tried again",
            measures={"retries": len(waits), "too_soon": len(found)}
            | ({"wait_min_s": seconds(min(waits))} if waits else {}),
            findings=tell(history, "retry_backoff", found),
        )
