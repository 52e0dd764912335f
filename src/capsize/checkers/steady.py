"""steady: the hypothesis, that the system works before it is pushed and again afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.hypothesis import Hypothesis, Steadiness
from capsize.core.verdict import Finding, Result, Verdict

LOOK_S = 0.1

Look = tuple[float, tuple[str, ...]]
"""A moment of the run, and what of the hypothesis did not hold then."""


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """The experiment's hypothesis held before the first fault, and holds again at the end.

    Before: once the first good answer has come, at least ``ready_min`` of the looks in the steady phase are
    good; if not, the run proves nothing and is UNKNOWN, as it is when the run was given up as not steady.
    During the chaos the share of the time in which the whole hypothesis held is measured, and not judged.
    After: if there was a recovery phase, the last ``looks`` looks of the run's phases are as good as the
    hypothesis asks, and the whole of it holds at some moment of the last ``window_s``, else FAIL. In a run in
    which nothing is ever harmed that moment is asked for as well.
    """

    name: ClassVar[str] = "steady"

    hypothesis: Hypothesis = Hypothesis()

    def check(self, history: History) -> Result:
        """Look at the answers before the chaos and at the last ones."""
        ended = history.ended
        if ended is not None and ended.how == "not_steady":
            detail = ended.detail or "the steady state did not hold before anything was harmed"
            return self._result(Verdict.UNKNOWN, f"not steady: {detail}", {})
        before = _settled(_within(history, "steady"))
        if not before:
            return self._result(Verdict.UNKNOWN, "no good answer was seen before the chaos", {})
        share = sum(op.outcome == "ok" for op in before) / len(before)
        looked = looks(history, self.hypothesis)
        measures = {"steady_ratio": round(share, 4)} | _held(history, looked)
        if share < self.hypothesis.ready_min:
            summary = f"only {share:.1%} of the looks before the chaos were good"
            return self._result(Verdict.UNKNOWN, summary, measures)
        if history.phase("recovery") is not None:
            return self._after(history, looked, measures)
        if history.phase("chaos") is None and (lost := self._lost(history, looked, history.phases[-1])):
            summary = f"nothing was harmed, and the steady state was lost: {'; '.join(lost[-1][1])}"
            return self._result(Verdict.FAIL, summary, measures, _story(lost))
        return self._result(Verdict.PASS, "the system was steady before the run's work began", measures)

    def _after(self, history: History, looked: tuple[Look, ...], measures: dict[str, Any]) -> Result:
        begin, end = (history.phase("recovery") or (0.0, 0.0))[0], _end(history)
        last = [op for op in ready(history) if begin <= op.sent and op.t <= end][-self.hypothesis.looks :]
        if len(last) < self.hypothesis.looks:
            return self._result(Verdict.UNKNOWN, f"only {len(last)} looks after the chaos", measures)
        bad = [op for op in last if op.outcome != "ok"]
        if len(last) - len(bad) < self.hypothesis.ready_min * len(last):
            summary = (
                f"{len(bad)} of the last {len(last)} looks were bad: the system did not come back to rest"
            )
            story = tuple(f"{op.t:8.3f} ready: {op.error or op.status}" for op in bad)
            return self._result(Verdict.FAIL, summary, measures, story)
        if lost := self._lost(history, looked, "recovery"):
            summary = f"the steady state did not come back: {'; '.join(lost[-1][1])}"
            return self._result(Verdict.FAIL, summary, measures, _story(lost))
        return self._result(Verdict.PASS, "steady before the chaos, and again after it", measures)

    def _lost(self, history: History, looked: tuple[Look, ...], phase: str) -> list[Look]:
        """Return the last looks of the run since this phase if none of them was good; nothing otherwise."""
        begin, end = (history.phase(phase) or (0.0, 0.0))[0], _end(history)
        since = max(begin, end - self.hypothesis.window_s)
        final = [look for look in looked if since <= look[0] <= end]
        return final if all(broken for _, broken in final) else []

    def _result(
        self, verdict: Verdict, summary: str, measures: dict[str, Any], story: tuple[str, ...] = ()
    ) -> Result:
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures=measures,
            findings=(Finding(anomaly="steady", message=summary, story=story),) if story else (),
        )


def looks(history: History, hypothesis: Hypothesis) -> tuple[Look, ...]:
    """Return what of the hypothesis did not hold, at every tenth of a second of the run."""
    steadiness = Steadiness(hypothesis)
    found: list[Look] = []
    due = LOOK_S
    for event in history:
        while due <= event.t:
            found.append((due, steadiness.broken(due)))
            due = round(due + LOOK_S, 3)
        steadiness.observe(event)
    # The end of the history belongs to it: what came last was seen by no look yet.
    return (*found, (history.end_s, steadiness.broken(history.end_s)))


def _end(history: History) -> float:
    return max(span[1] for name in history.phases if (span := history.phase(name)) is not None)


def _story(looked: list[Look]) -> tuple[str, ...]:
    return tuple(f"{t:8.3f} {'; '.join(broken)}" for t, broken in looked)


def _held(history: History, looked: tuple[Look, ...]) -> dict[str, Any]:
    """Return the share of the chaos in which the hypothesis held."""
    chaos = history.phase("chaos")
    inside = [] if chaos is None else [broken for t, broken in looked if chaos[0] <= t <= chaos[1]]
    if not inside:
        return {}
    return {"held_in_chaos_ratio": round(sum(not broken for broken in inside) / len(inside), 4)}


def _within(history: History, phase: str) -> list[Op]:
    span = history.phase(phase)
    return [] if span is None else [op for op in ready(history) if span[0] <= op.sent and op.t <= span[1]]


def _settled(looks: list[Op]) -> list[Op]:
    """Return the looks from the first good one on: a system may need a moment after its start."""
    for number, op in enumerate(looks):
        if op.outcome == "ok":
            return looks[number:]
    return []
