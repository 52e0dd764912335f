"""throughput: as long as work waits, it is worked off at a steady pace."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.backlog import deep
from capsize.checkers.figures import quantile
from capsize.checkers.lives import lives
from capsize.checkers.spans import Span
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

PARTS = 3


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """While at least ``backlog`` tasks waited, ``min_per_s`` were finished, and it did not collapse.

    Finished is counted by the witness, and only while work waited: an idle queue has no throughput. That time is
    cut into three parts; in the last one the rate must be at least ``kept`` of the first one's. UNKNOWN when
    work waited for less than ``span_s`` altogether: then nothing was pushed to its limit.
    """

    name: ClassVar[str] = "throughput"

    min_per_s: float
    kept: float = 0.4
    backlog: int = 10
    span_s: float = 2.0

    def check(self, history: History) -> Result:
        """Count the finishes of the time in which work waited."""
        finishes = sorted(t for life in lives(history) if (t := life.finished) is not None)
        spans = deep(history, self.backlog)
        length = sum(high - low for low, high in spans)
        if length < self.span_s:
            summary = (
                f"{self.backlog} tasks or more waited for {length:.1f} s only; {self.span_s:g} s are needed"
            )
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        rates = [_rate(finishes, part) for part in _parts(spans, length / PARTS)]
        overall = sum(rates) / len(rates)
        problem = self._problem(overall, rates)
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if problem else Verdict.PASS,
            summary=problem or f"{overall:.0f} tasks/s finished during {length:.1f} s of backlog",
            measures=_accepted(history)
            | {
                "backlog_s": round(length, 2),
                "finished_per_s": round(overall, 2),
                "finished_per_s_by_third": [round(rate, 2) for rate in rates],
                "finished": len(finishes),
            },
            findings=(Finding(anomaly=self.name, message=problem),) if problem else (),
        )

    def _problem(self, overall: float, rates: list[float]) -> str | None:
        if overall < self.min_per_s:
            return f"{overall:.1f} tasks/s finished while work waited; {self.min_per_s:.1f} are required"
        if rates[-1] < self.kept * rates[0]:
            return f"the throughput fell from {rates[0]:.1f} to {rates[-1]:.1f} tasks/s while work waited"
        return None


def _accepted(history: History) -> dict[str, Any]:
    times = sorted(life.acknowledged or 0.0 for life in lives(history).acknowledged)
    if len(times) < 2 or times[-1] == times[0]:
        return {"accepted": len(times)}
    # The middle nine tenths: a straggler must not thin out the rate.
    low, high = quantile(times, 0.05), quantile(times, 0.95)
    among = sum(low <= t <= high for t in times)
    return {"accepted": len(times), "accepted_per_s": round(among / (high - low), 2) if high > low else None}


def _parts(spans: tuple[Span, ...], part_s: float) -> list[list[Span]]:
    """Cut the spans into parts of the same length altogether."""
    parts: list[list[Span]] = [[] for _ in range(PARTS)]
    number, left = 0, part_s
    for low, high in spans:
        while high - low > left and number < PARTS - 1:
            parts[number].append((low, low + left))
            low, number, left = low + left, number + 1, part_s
        parts[number].append((low, high))
        left -= high - low
    return parts


def _rate(finishes: list[float], spans: list[Span]) -> float:
    length = sum(high - low for low, high in spans)
    inside = sum(any(low <= t < high for low, high in spans) for t in finishes)
    return inside / length if length else 0.0
