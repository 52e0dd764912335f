"""flapping: the readiness answer does not come and go while nothing is wrong."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.checkers.figures import counted
from capsize.checkers.fleet import workers
from capsize.checkers.spans import Span, less, touches
from capsize.checkers.strikes import strikes
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Flapping(msgspec.Struct, frozen=True, kw_only=True):
    """Ready stays ready while neither the API nor anything below it is struck.

    A flap is at least ``row`` definite refusals in a row (an answer that is not 200; no answer at all is for
    ``availability`` to count) between good answers, no part of it within a strike on anything but workers or
    the ``margin_s`` after its healing. ``flaps_max`` of them are let pass: a busy machine hiccups. UNKNOWN
    when less than ``quiet_min_s`` of the answers lie outside all strikes.
    """

    name: ClassVar[str] = "flapping"

    row: int = 3
    flaps_max: int = 1
    margin_s: float = 5.0
    quiet_min_s: float = 1.0

    def check(self, history: History) -> Result:
        """Count the flaps in the quiet stretches of the run."""
        answers = _from_first_good(ready(history))
        struck = self._struck(history)
        quiet_s = sum(high - low for low, high in less(_whole(answers), struck))
        rows = [list(group) for bad, group in groupby(answers, key=_refused) if bad]
        flaps = [
            row
            for row in rows
            if len(row) >= self.row
            and row[-1] is not answers[-1]
            and not touches(struck, row[0].sent, row[-1].t)
        ]
        measures = {"flaps": len(flaps), "quiet_s": round(quiet_s, 3)}
        if quiet_s < self.quiet_min_s:
            return self._result(Verdict.UNKNOWN, "there was no quiet stretch to look at", measures)
        if len(flaps) <= self.flaps_max:
            return self._result(Verdict.PASS, f"ready stayed ready through {quiet_s:.1f} quiet s", measures)
        summary = f"ready came and went {counted(len(flaps), 'time')} in {quiet_s:.1f} s without a fault"
        story = tuple(f"{row[0].sent:8.3f} refused {len(row)} times, until {row[-1].t:.3f}" for row in flaps)
        return self._result(Verdict.FAIL, summary, measures, story)

    def _struck(self, history: History) -> list[Span]:
        hands = workers(history)
        spans = [s.span(history.end_s) for s in strikes(history) if not hands.issuperset(s.victims)]
        return [(low, high + self.margin_s) for low, high in spans]

    def _result(
        self, verdict: Verdict, summary: str, measures: dict[str, float], story: tuple[str, ...] = ()
    ) -> Result:
        findings = (Finding(anomaly="flapping", message=summary, story=story),) if story else ()
        return Result(
            checker=self.name, verdict=verdict, summary=summary, measures=dict(measures), findings=findings
        )


def _refused(op: Op) -> bool:
    return op.outcome != "ok" and op.status is not None


def _from_first_good(answers: tuple[Op, ...]) -> tuple[Op, ...]:
    """Leave out what came before the service was ready for the first time."""
    first = next((number for number, op in enumerate(answers) if op.outcome == "ok"), len(answers))
    return answers[first:]


def _whole(answers: tuple[Op, ...]) -> list[Span]:
    return [(answers[0].sent, answers[-1].t)] if answers else []
