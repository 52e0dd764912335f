"""availability: the share of API calls that succeeded."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import api_calls, held_back
from capsize.checkers.figures import quantile, seconds, wilson
from capsize.checkers.outages import outages
from capsize.checkers.spans import touches
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """At least ``min`` of the API calls planned in ``phases`` succeeded (all phases if empty).

    A call that capsize itself held back says nothing about the service: it is left out and counted, and more
    than a hundredth of them leaves the claim UNKNOWN. One that was cut short when its load ended is left out. With ``outside_outages`` calls that touch an outage of
    the database (struck or seen down, until the readiness answers are good again, at most ``outage_max_s``
    after the healing) are left out: those are for ``bounded_answers`` to judge. If a whole run lies outside
    the phases (a baseline without chaos), all its calls are judged.

    UNKNOWN with fewer than ``calls_min`` calls. Latency counts from the planned time, so a stalled service
    shows. The 95% interval is Wilson's.
    """

    name: ClassVar[str] = "availability"

    min: float = 0.95
    phases: tuple[str, ...] = ("chaos",)
    outside_outages: bool = False
    outage_max_s: float = 5.0
    calls_min: int = 20

    def check(self, history: History) -> Result:
        """Count the calls."""
        chosen = self._chosen(history)
        calls = [op for op in chosen if not held_back(op)]
        held = len(chosen) - len(calls)
        good = sum(op.outcome == "ok" for op in calls)
        measures = _measures(calls, good, held)
        if len(calls) < self.calls_min:
            summary = f"{len(calls)} API calls were made; {self.calls_min} are needed to judge"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary, measures=measures)
        ratio = good / len(calls)
        summary = f"{good} of {len(calls)} API calls succeeded ({ratio:.2%}); {self.min:.0%} required"
        verdict = Verdict.FAIL if ratio < self.min else Verdict.PASS
        if verdict is Verdict.PASS and held * 100 > len(chosen):
            verdict, summary = Verdict.UNKNOWN, f"capsize held back {held} of {len(chosen)} calls"
        bad = [op for op in calls if op.outcome != "ok"]
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures=measures,
            findings=(_finding(summary, bad),) if verdict is Verdict.FAIL else (),
        )

    def _chosen(self, history: History) -> list[Op]:
        spans = [span for name in self.phases if (span := history.phase(name)) is not None]
        chosen = [op for op in api_calls(history) if not spans or touches(spans, op.planned, op.planned)]
        if not self.outside_outages:
            return chosen
        away = outages(history, self.outage_max_s)
        return [op for op in chosen if not touches(away, op.planned, op.t)]


def _measures(calls: list[Op], good: int, held: int) -> dict[str, Any]:
    low, high = wilson(good, len(calls))
    measures: dict[str, Any] = {"calls": len(calls), "held_back": held}
    if calls:
        latencies = [op.t - op.planned for op in calls]
        measures |= {
            "api_success_ratio": round(good / len(calls), 5),
            "api_success_low": round(low, 5),
            "api_success_high": round(high, 5),
            "latency_p50_s": seconds(quantile(latencies, 0.5)),
            "latency_p99_s": seconds(quantile(latencies, 0.99)),
            "latency_max_s": seconds(max(latencies)),
        }
    return measures


def _finding(summary: str, bad: list[Op]) -> Finding:
    story = tuple(f"{op.t:8.3f} {op.call}: {op.error or op.status}" for op in bad[:20])
    return Finding(anomaly="availability", message=summary, story=story)
