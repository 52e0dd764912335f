"""steady: the hypothesis, that the system works before it is pushed and again afterwards."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """The availability probe was answered well before the first fault, and again at the end.

    Before: once the first good answer has come, at least ``min`` of the looks in the steady phase are good;
    if not, the run proves nothing and is UNKNOWN, as it is when the run was given up as not steady. After: if
    there was a recovery phase, the last ``good_in_row`` looks of the run's phases are all good, else FAIL.
    """

    name: ClassVar[str] = "steady"

    min: float = 0.99
    good_in_row: int = 10

    def check(self, history: History) -> Result:
        """Look at the answers before the chaos and at the last ones."""
        ended = history.ended
        if ended is not None and ended.how == "not_steady":
            detail = ended.detail or "the steady state did not hold before anything was harmed"
            return self._result(Verdict.UNKNOWN, f"not steady: {detail}")
        before = _settled(_within(history, "steady"))
        if not before:
            return self._result(Verdict.UNKNOWN, "no good answer was seen before the chaos")
        share = sum(op.outcome == "ok" for op in before) / len(before)
        if share < self.min:
            return self._result(
                Verdict.UNKNOWN, f"only {share:.1%} of the looks before the chaos were good", share
            )
        if history.phase("recovery") is None:
            return self._result(Verdict.PASS, "the system was steady before the run's work began", share)
        return self._after(history, share)

    def _after(self, history: History, share: float) -> Result:
        begin = (history.phase("recovery") or (0.0, 0.0))[0]
        end = max(span[1] for name in history.phases if (span := history.phase(name)) is not None)
        last = [op for op in ready(history) if begin <= op.sent and op.t <= end][-self.good_in_row :]
        if len(last) < self.good_in_row:
            return self._result(Verdict.UNKNOWN, f"only {len(last)} looks after the chaos", share)
        bad = [op for op in last if op.outcome != "ok"]
        if bad:
            summary = (
                f"{len(bad)} of the last {len(last)} looks were bad: the system did not come back to rest"
            )
            return self._result(Verdict.FAIL, summary, share, bad)
        return self._result(Verdict.PASS, "steady before the chaos, and again after it", share)

    def _result(
        self, verdict: Verdict, summary: str, share: float | None = None, bad: list[Op] | None = None
    ) -> Result:
        story = tuple(f"{op.t:8.3f} ready: {op.error or op.status}" for op in bad or ())
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures={} if share is None else {"steady_ratio": round(share, 4)},
            findings=(Finding(anomaly="steady", message=summary, story=story),) if bad else (),
        )


def _within(history: History, phase: str) -> list[Op]:
    span = history.phase(phase)
    return [] if span is None else [op for op in ready(history) if span[0] <= op.sent and op.t <= span[1]]


def _settled(looks: list[Op]) -> list[Op]:
    """Return the looks from the first good one on: a system may need a moment after its start."""
    for number, op in enumerate(looks):
        if op.outcome == "ok":
            return looks[number:]
    return []
