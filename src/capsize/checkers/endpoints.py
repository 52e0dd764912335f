"""endpoints: every call of the API's catalogue works."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.answers import API, api_calls, held_back
from capsize.checkers.figures import counted, verdict_of
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Each call of the API was answered as expected at least once, and at least ``min`` of all calls were.

    Names in ``expected`` that were never called fail as well. Calls that capsize held back or cut short are
    left out. UNKNOWN when no call was made.
    """

    name: ClassVar[str] = "endpoints"

    min: float = 1.0
    expected: tuple[str, ...] = ()

    def check(self, history: History) -> Result:
        """Group the calls by their names."""
        calls: dict[str, list[Op]] = {name: [] for name in self.expected}
        for op in api_calls(history):
            if not held_back(op):
                calls.setdefault(op.call.removeprefix(API), []).append(op)
        total = sum(len(ops) for ops in calls.values())
        good = sum(op.outcome == "ok" for ops in calls.values() for op in ops)
        findings = [finding for name, ops in sorted(calls.items()) if (finding := _dead(name, ops))]
        if total and good / total < self.min and not findings:
            bad = [op for ops in calls.values() for op in ops if op.outcome != "ok"]
            story = tuple(f"{op.t:8.3f} {op.call}: {op.error or op.status}" for op in bad[:20])
            message = f"{good / total:.2%} of the calls were answered as expected; {self.min:.0%} required"
            findings.append(Finding(anomaly="endpoints", message=message, story=story))
        summary = f"{counted(len(calls), 'endpoint')} answered as expected, {good} of {total} calls"
        if not total:
            summary = "no call of the API's catalogue was made"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not total),
            summary=findings[0].message if findings else summary,
            measures={"endpoints": len(calls), "calls": total, "good": good},
            findings=tuple(findings),
        )


def _dead(name: str, ops: list[Op]) -> Finding | None:
    if any(op.outcome == "ok" for op in ops):
        return None
    story = tuple(f"{op.t:8.3f} {op.call}: {op.error or op.status}" for op in ops[:5])
    how = "was never answered as expected" if ops else "was never called"
    return Finding(anomaly="endpoints", message=f"the endpoint {name} {how}", story=story)
