"""pickup: how long accepted work waits for its first run."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, quantile, seconds
from capsize.checkers.fleet import horizon
from capsize.checkers.lives import lives
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Pickup(msgspec.Struct, frozen=True, kw_only=True):
    """99 of 100 accepted tasks were begun within ``p99_max_s`` of their acknowledgement, by the witness.

    A task that was never begun has waited until the end of the last phase, but one that was cancelled before
    its first run is not waited for. Under overload the wait is the
    backlog over the capacity: the limit must allow for it. UNKNOWN with fewer than ``count_min`` tasks.
    """

    name: ClassVar[str] = "pickup"

    p99_max_s: float
    count_min: int = 20

    def check(self, history: History) -> Result:
        """Time each acknowledged task to its first run."""
        end = horizon(history)
        took = [
            max(0.0, min((run.began for run in life.runs), default=end) - (life.acknowledged or 0.0))
            for life in lives(history).acknowledged
            if life.runs or not any(confirmed for _, confirmed in life.cancels)
        ]
        if len(took) < self.count_min:
            summary = f"{counted(len(took), 'accepted task')}; {self.count_min} are needed to judge"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        p99 = quantile(took, 0.99)
        slow = p99 > self.p99_max_s
        summary = f"99% of {len(took)} tasks were begun within {p99:.2f} s of their acknowledgement"
        if slow:
            summary = (
                f"1 of 100 tasks waited over {p99:.1f} s for its first run; {self.p99_max_s:g} s is the limit"
            )
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if slow else Verdict.PASS,
            summary=summary,
            measures={
                "tasks": len(took),
                "pickup_p50_s": seconds(quantile(took, 0.5)),
                "pickup_p99_s": seconds(p99),
                "pickup_max_s": seconds(max(took)),
            },
            findings=(Finding(anomaly=self.name, message=summary),) if slow else (),
        )
