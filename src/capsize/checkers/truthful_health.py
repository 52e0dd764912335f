"""truthful_health: the readiness answer says how the database really is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import database_trouble, fleet
from capsize.checkers.links import api_cut_off
from capsize.checkers.outages import down, looks, up
from capsize.checkers.spans import Span, less, merged
from capsize.checkers.strikes import service_of, services, strikes
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

LOOKS_END_S = 5.0
"""Looks that end so much sooner than the answers have broken off: nobody knows what came then."""


class TruthfulHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Ready answers are good only while the database answers, and are good again soon after it does.

    Compared is an independent look at the database. It is certainly down between two bad looks in a row, and as
    good as down while the API's connections to it are cut. From
    ``margin_s`` after it went down no good answer may come to a question that was sent while it was down; from
    ``again_s`` after it came back, while an API instance is up and not struck, the answers are good. UNKNOWN
    without looks or answers, and when no outage was seen long enough to compare and ``required``.
    """

    name: ClassVar[str] = "truthful_health"

    margin_s: float = 1.0
    again_s: float = 5.0
    api: str = "api"
    required: bool = True

    def check(self, history: History) -> Result:
        """Hold the answers against the looks."""
        away = merged([*down(history), *api_cut_off(history)])
        dark = [span for low, high in away if (span := (low + self.margin_s, high))[0] < high]
        asked = [op for span in dark for op in _between(ready(history), span)]
        lies = [op for op in asked if op.outcome == "ok"]
        wrong = [op for span in self._bright(history) for op in _bad_rows(_between(ready(history), span))]
        findings = [
            *_findings(lies, "ready, while the database was out of its reach"),
            *_findings(wrong, "not ready, though the database had been back for long"),
        ]
        doubt = self._doubt(history, len(asked))
        good = f"{counted(len(asked), 'answer')} during outages, none of them wrong"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=doubt is not None),
            summary=findings[0].message if findings else doubt or good,
            measures={
                "outages": len(dark),
                "compared": len(asked),
                "lies": len(lies),
                "wrongly_not_ready": len(wrong),
            },
            findings=tuple(findings),
        )

    def _bright(self, history: History) -> tuple[Span, ...]:
        """Return when the answers must be good: long after an outage or a strike on the API or the database."""
        first = min((low for low, _ in (*down(history), *api_cut_off(history))), default=None)
        if first is None:
            return ()
        instances = fleet(history)
        harmed = [
            (low, high + self.again_s)
            for name in {name for s in strikes(history) for name in s.victims} | set(services(history))
            if service_of(history, name) == self.api
            for low, high in [*instances.harmed(name), *instances.away(name)]
        ]
        # A strike on the database that no look has noticed, such as cutting its connections, harms the API too.
        harmed += [(low, high + self.again_s) for low, high in database_trouble(history)]
        spans = [(low + self.again_s, high) for low, high in up(history) if low > first]
        return less([span for span in spans if span[0] < span[1]], harmed)

    def _doubt(self, history: History, asked: int) -> str | None:
        if not looks(history):
            return "nobody looked at the database beside the service"
        last, until = looks(history)[-1].t, max((op.t for op in ready(history)), default=0.0)
        if until - last > LOOKS_END_S:
            return (
                f"the looks at the database broke off at {last:.1f} s, the answers went on to {until:.1f} s"
            )
        if not asked and self.required:
            return "no outage of the database was seen while the API was asked"
        return None


def _between(answers: tuple[Op, ...], span: Span) -> tuple[Op, ...]:
    """Return the answers to questions that were sent, and answered, within a span."""
    first = bisect_left(answers, span[0], key=lambda op: op.sent)
    last = bisect_right(answers, span[1], key=lambda op: op.sent)
    return tuple(op for op in answers[first:last] if op.t <= span[1])


def _bad_rows(answers: tuple[Op, ...]) -> Iterator[Op]:
    """Yield bad answers that follow a bad one: a single hiccup is for ``availability`` to count."""
    for before, after in pairwise(answers):
        if before.outcome != "ok" and after.outcome != "ok":
            yield after


def _findings(ops: list[Op], what: str) -> list[Finding]:
    if not ops:
        return []
    first = ops[0]
    more = f" (and {len(ops) - 1} more)" if len(ops) > 1 else ""
    message = f"at {first.sent:.3f} s the API said {what}{more}"
    story = tuple(f"{op.sent:8.3f} asked, answered {op.status} at {op.t:.3f}" for op in ops[:20])
    return [Finding(anomaly="truthful_health", message=message, story=story)]
