"""acceptance: a flood of submissions was taken in, each soon and at the first try."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import held_back
from capsize.checkers.figures import quantile, seconds, wilson
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """At least ``first_try_min`` of the submissions were acknowledged at once, 99 of 100 within ``p99_max_s``.

    Open loop: the time counts from when the first try was due, through all tries, so that an API that stands
    still shows it for each submission that was due meanwhile. One that was never acknowledged counts as long as
    it was tried. UNKNOWN with fewer than ``count_min`` submissions, and when capsize held some back.
    """

    name: ClassVar[str] = "acceptance"

    first_try_min: float = 0.99
    p99_max_s: float = 2.0
    count_min: int = 100

    def check(self, history: History) -> Result:
        """Follow each submission from when it was due to its acknowledgement."""
        tries: dict[str, list[Op]] = {}
        for number, op in enumerate(history.of(Op)):
            if op.call == "submit":
                tries.setdefault(op.key or op.task or f"try {number}", []).append(op)
        measures, problem = self._measures(list(tries.values()))
        held, doubt = measures.get("held_back", 0), None
        if len(tries) < self.count_min:
            doubt = f"{len(tries)} submissions are no flood; {self.count_min} are needed to judge"
        elif held and problem is None:
            doubt = f"capsize held back {held} of {len(tries)} submissions"
        if doubt is not None:
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=doubt, measures=measures)
        summary = problem or (
            f"{len(tries)} submissions at {measures['offered_per_s']:.0f}/s acknowledged, 99% within "
            f"{measures['ack_p99_s']:.3f} s"
        )
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if problem else Verdict.PASS,
            summary=summary,
            measures=measures,
            findings=(Finding(anomaly=self.name, message=problem),) if problem else (),
        )

    def _measures(self, tries: list[list[Op]]) -> tuple[dict[str, Any], str | None]:
        if not tries:
            return {"submissions": 0}, None
        sent = [ops for ops in tries if not held_back(ops[0])]
        at_once = sum(ops[0].outcome == "ok" for ops in sent)
        took = [_acknowledged(ops) - ops[0].planned for ops in tries]
        planned = sorted(ops[0].planned for ops in tries)
        offered = (len(planned) - 1) / (planned[-1] - planned[0]) if planned[-1] > planned[0] else 0.0
        low, high = wilson(at_once, len(sent))
        p99 = quantile(took, 0.99)
        measures = {
            "submissions": len(tries),
            "offered_per_s": round(offered, 1),
            "held_back": len(tries) - len(sent),
            "first_try_ratio": round(at_once / len(sent), 5) if sent else None,
            "first_try_low": round(low, 5),
            "first_try_high": round(high, 5),
            "ack_p50_s": seconds(quantile(took, 0.5)),
            "ack_p99_s": seconds(p99),
            "ack_max_s": seconds(max(took)),
        }
        if at_once < self.first_try_min * len(sent):
            share = f"{at_once / len(sent):.1%}"
            return measures, f"{share} of {len(sent)} submissions were acknowledged at the first try"
        if p99 > self.p99_max_s:
            return measures, f"1 of 100 submissions took over {p99:.1f} s, more than {self.p99_max_s:g} s"
        return measures, None


def _acknowledged(ops: list[Op]) -> float:
    """Return when a submission was acknowledged, or how long that was tried."""
    return next((op.t for op in ops if op.outcome == "ok"), ops[-1].t)
