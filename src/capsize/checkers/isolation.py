"""isolation: tasks of one type do not suffer from the failures of another."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.circuits import Opening, callers, openings
from capsize.checkers.figures import counted, quantile, seconds
from capsize.checkers.lives import Life
from capsize.checkers.spans import Span
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

WAITS = 20
"""With fewer tasks than this in either stretch a 95% quantile says nothing."""


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """While the circuit of the calling tasks is open, other tasks are picked up and done as before.

    Compared are the tasks of the load ``other`` submitted before the first bad spell with those submitted while
    the circuit was open (or should have been, from the configured number of failures on). The wait from the
    acknowledgement to the first run at the witness may grow in its 95% quantile to ``factor`` times what it was,
    or by ``slack_s`` if that is more; of the tasks submitted, ``done_min`` must be done ``slack_s`` + ``patience_s``
    later. UNKNOWN with fewer than 20 tasks before or meanwhile, and when there was no spell.
    """

    name: ClassVar[str] = "isolation"

    failures: int
    open_s: float
    timeout_s: float
    factor: float = 3.0
    slack_s: float = 0.5
    done_min: float = 0.95
    patience_s: float = 2.0
    client: str = "calls"
    other: str = "delays"

    def check(self, history: History) -> Result:
        """Compare waits and completions before and meanwhile."""
        spans = self._meanwhile(history)
        tasks = callers(history, self.other)
        first = min((low for low, _ in spans), default=0.0)
        since = min((one.spell.begin for one in self._openings(history)), default=0.0)
        before = [life for life in tasks if (life.acknowledged or 0.0) < since - self.patience_s]
        # A task that came in the last moment of a stretch tells of what came after it.
        meanwhile = [
            life
            for life in tasks
            if any(low <= (life.acknowledged or 0.0) <= high - self.slack_s for low, high in spans)
        ]
        if not spans or len(before) < WAITS or len(meanwhile) < WAITS:
            summary = (
                f"{counted(len(before), 'task')} before and {len(meanwhile)} while the circuit was open "
                f"(from {first:.1f} s): {WAITS} of each are needed to compare"
            )
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        return self._result(history, before, meanwhile)

    def _openings(self, history: History) -> tuple[Opening, ...]:
        return openings(
            history, self.client, failures=self.failures, open_s=self.open_s, timeout_s=self.timeout_s
        )

    def _meanwhile(self, history: History) -> list[Span]:
        spans: list[Span] = []
        for one in self._openings(history):
            ends = sorted(call.end for call in one.before)
            if one.opened is not None:
                spans.append((one.opened, one.spell.end))
            elif len(ends) >= self.failures:
                spans.append((ends[self.failures - 1], one.spell.end))
        return [span for span in spans if span[0] < span[1]]

    def _result(self, history: History, before: list[Life], meanwhile: list[Life]) -> Result:
        was, now = (quantile([_wait(history, life) for life in some], 0.95) for some in (before, meanwhile))
        limit = max(was * self.factor, was + self.slack_s)
        done_before, done = (self._done(some) for some in (before, meanwhile))
        problem = None
        if now > limit:
            problem = (
                f"other tasks waited {now:.2f} s for a worker while the circuit was open (95%), {was:.2f} s before; "
                f"{limit:.2f} s is the limit"
            )
        elif done < self.done_min:
            problem = f"only {done:.0%} of the other tasks were done in time while the circuit was open"
        fine = f"other tasks waited {now:.2f} s while the circuit was open (95%), {was:.2f} s before"
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if problem else Verdict.PASS,
            summary=problem or fine,
            measures={
                "tasks_before": len(before),
                "tasks_meanwhile": len(meanwhile),
                "wait_before_p95_s": seconds(was),
                "wait_meanwhile_p95_s": seconds(now),
                "done_before_ratio": round(done_before, 4),
                "done_meanwhile_ratio": round(done, 4),
            },
            findings=(Finding(anomaly="isolation", message=problem),) if problem else (),
        )

    def _done(self, tasks: list[Life]) -> float:
        limit = self.slack_s + self.patience_s
        return sum(
            life.finished is not None and life.finished - (life.acknowledged or 0.0) <= limit
            for life in tasks
        ) / len(tasks)


def _wait(history: History, life: Life) -> float:
    """Return how long a task waited for its first run; one that was never begun waits to the end."""
    began = min((run.began for run in life.runs), default=history.end_s)
    return max(0.0, began - (life.acknowledged or 0.0))
