"""bounded_answers: while the database is away the API says so clearly and soon."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import api_calls, held_back
from capsize.checkers.figures import counted, quantile, seconds, verdict_of
from capsize.checkers.fleet import fleet
from capsize.checkers.outages import outages
from capsize.checkers.spans import Span, merged, touches
from capsize.checkers.strikes import on
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class BoundedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """Every API call sent during an outage of the database was answered within ``limit_s``, and definitely.

    Definite is what was expected, or one of ``statuses``. No answer, a refused or broken connection (the
    outage took the API with it), an answer that was too late, and any other status fail. An outage lasts
    from the strike on the database, or its first bad look, until the readiness answers are good again, at
    most ``outage_max_s`` after the database was back. With ``api``, the service that answers, calls are left out
    that touch the time from a strike on it until it was ready again: it was taken away by capsize, and not by
    the outage. UNKNOWN when no call was sent during one, if one is ``required``.
    """

    name: ClassVar[str] = "bounded_answers"

    limit_s: float = 5.0
    statuses: tuple[int, ...] = (503,)
    outage_max_s: float = 5.0
    api: str = ""
    required: bool = True

    def check(self, history: History) -> Result:
        """Look at each call sent during an outage."""
        away = outages(history, self.outage_max_s)
        harmed = self._harmed(history)
        calls = [
            op
            for op in api_calls(history)
            if not held_back(op) and touches(away, op.sent, op.sent) and not touches(harmed, op.sent, op.t)
        ]
        bad = [(op, why) for op in calls if (why := self._why(op))]
        findings = [
            Finding(
                anomaly="bounded_answers",
                message=f"{op.call}, sent at {op.sent:.3f} s while the database was away: {why}",
            )
            for op, why in bad
        ]
        refused = sum(op.status in self.statuses for op in calls)
        summary = f"{counted(len(calls), 'call')} during outages answered clearly, {refused} of them refused"
        if findings:
            summary = (
                f"{len(findings)} of {counted(len(calls), 'call')} during outages got no clear answer in time"
            )
        elif not calls:
            summary = "no API call was made while the database was away"
        measures: dict[str, Any] = {"calls": len(calls), "refused": refused, "unclear": len(findings)}
        if calls:
            measures["answer_max_s"] = seconds(max(op.t - op.sent for op in calls))
            measures["answer_p50_s"] = seconds(quantile([op.t - op.sent for op in calls], 0.5))
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not calls and self.required),
            summary=summary,
            measures=measures,
            findings=tuple(findings),
        )

    def _harmed(self, history: History) -> tuple[Span, ...]:
        """Return when the API was in capsize's own hands, or had died of them and was not yet ready again."""
        instances = fleet(history)
        harmed: list[Span] = []
        for strike in on(history, [self.api] if self.api else []):
            low, high = strike.span(instances.end_s)
            away = [span for victim in strike.victims for span in instances.away(victim)]
            harmed.append((low, max([high, *(end for begin, end in away if low <= begin <= high)])))
        return merged(harmed)

    def _why(self, op: Op) -> str | None:
        """Return what is wrong with an answer, None when it is definite and in time."""
        took = op.t - op.sent
        if op.status is None:
            return f"no answer ({op.error or 'nothing came'})"
        if op.outcome != "ok" and op.status not in self.statuses:
            return f"answered {op.status}"
        return f"answered only after {took:.1f} s" if took > self.limit_s else None
