"""ended: the run came to its end in order, and healed what it had broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from capsize.checkers.strikes import strikes
from capsize.core.events import Undone
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The run completed, its record is whole, and every strike that was begun was carried out and healed.

    A run that was cut off, interrupted, aborted, broke, or did not get under way is UNKNOWN, and so is one in
    which a strike could not be carried out, or the guardian had to undo something. A heal that failed is
    FAIL, and so is what the guardian could not undo either. A strike without any word on its healing is UNKNOWN.
    """

    name: ClassVar[str] = "ended"

    def check(self, history: History) -> Result:
        """Read the last line and the strikes' last stages."""
        left = [*_left(history)]
        if left:
            findings = tuple(Finding(anomaly="ended", message=message) for message in left)
            return Result(
                checker=self.name, verdict=Verdict.FAIL, summary=findings[0].message, findings=findings
            )
        doubt = _doubt(history)
        return Result(
            checker=self.name,
            verdict=Verdict.UNKNOWN if doubt else Verdict.PASS,
            summary=doubt or "the run completed",
            measures={"duration_s": round(history.end_s, 3)},
        )


def _left(history: History) -> Iterator[str]:
    for one in strikes(history):
        if "heal_failed" in one.stages:
            yield f"not healed: {one.id} ({one.fault}): {one.details['heal_failed']}"
    for undone in history.of(Undone):
        yield from (f"left on the machine: {what}" for what in undone.left)


def _doubt(history: History) -> str | None:
    ended = history.ended
    if ended is None or history.truncated:
        return f"the record is cut off at {history.end_s:.1f} s: capsize died, or is still running"
    if ended.how != "completed":
        words = {
            "not_steady": "was given up: not steady",
            "broke": "broke",
            "interrupted": "was interrupted",
            "aborted": "was aborted by a guardrail",
        }
        detail = f": {ended.detail}" if ended.detail else ""
        return f"the run {words[ended.how]} at {ended.t:.1f} s{detail}"
    for undone in history.of(Undone):
        when = "its time to live was over" if undone.why == "overdue" else "it was left at the end"
        whose = f"strike {undone.strike}: " if undone.strike else ""
        return f"{whose}the guardian had to {'; '.join(undone.steps)}, since {when}"
    for one in strikes(history):
        if "failed" in one.stages:
            return f"strike {one.id} ({one.fault}) could not be carried out: {one.details['failed']}"
    unhealed = [
        s.id for s in strikes(history) if s.begun and s.landed is not None and "healed" not in s.stages
    ]
    if unhealed:
        return f"nobody wrote down that {', '.join(unhealed)} was healed"
    return None
