"""completion: how much of the accepted work was done in time."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.deadlines import Origin, due
from capsize.checkers.figures import wilson
from capsize.checkers.lives import lives
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The share of accepted tasks that finished by the deadline lies between ``min`` and ``max``.

    With ``clients`` only the tasks that these loads submitted are judged. Without a deadline every finish counts. Above ``max`` fails as well: a workload that was meant to be
    impossible and was not proves nothing of what it was made for. UNKNOWN when no task was accepted.
    """

    name: ClassVar[str] = "completion"

    min: float = 1.0
    max: float = 1.0
    deadline_s: float | None = None
    origin: Origin = "chaos"
    clients: tuple[str, ...] = ()

    def check(self, history: History) -> Result:
        """Count accepted, finished and in time."""
        accepted = [
            life for life in lives(history).acknowledged if life.client in (self.clients or (life.client,))
        ]
        if not accepted:
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary="no task was accepted")
        done = [life for life in accepted if life.finished is not None]
        in_time = sum(
            (life.finished or 0.0) <= due(history, life, self.deadline_s, self.origin) for life in done
        )
        ratio = in_time / len(accepted)
        low, high = wilson(in_time, len(accepted))
        problem = self._problem(ratio, in_time, len(accepted))
        when = "" if self.deadline_s is None else f" within {self.deadline_s:g} s"
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if problem else Verdict.PASS,
            summary=f"{in_time} of {len(accepted)} accepted tasks finished{when} ({ratio:.1%})",
            measures={
                "completion_ratio": round(ratio, 4),
                "completion_low": round(low, 4),
                "completion_high": round(high, 4),
                "accepted": len(accepted),
                "completed": len(done),
                "in_time": in_time,
            },
            findings=(Finding(anomaly="completion", message=problem),) if problem else (),
        )

    def _problem(self, ratio: float, done: int, accepted: int) -> str | None:
        share = f"{ratio:.1%} ({done} of {accepted})"
        if ratio < self.min:
            return f"{share} finished in time; at least {self.min:.0%} is required"
        if ratio > self.max:
            return f"{share} finished in time, above {self.max:.0%}: the workload was meant to be impossible"
        return None
