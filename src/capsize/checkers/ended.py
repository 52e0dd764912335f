"""ended: the run came to its end in order, and healed what it had broken."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.strikes import strikes
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The run completed, its record is whole, and every strike that was begun is healed.

    A run that was cut off, interrupted, broke, or did not get under way is UNKNOWN. A heal that failed is
    FAIL. A strike without any word on its healing is UNKNOWN.
    """

    name: ClassVar[str] = "ended"

    def check(self, history: History) -> Result:
        """Read the last line and the strikes' last stages."""
        left = [strike for strike in strikes(history) if "heal_failed" in strike.stages]
        if left:
            findings = tuple(
                Finding(
                    anomaly="ended",
                    message=f"not healed: {one.id} ({one.fault}): {one.details['heal_failed']}",
                )
                for one in left
            )
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


def _doubt(history: History) -> str | None:
    ended = history.ended
    if ended is None or history.truncated:
        return f"the record is cut off at {history.end_s:.1f} s: capsize died, or is still running"
    if ended.how != "completed":
        words = {"not_steady": "was given up: not steady", "broke": "broke", "interrupted": "was interrupted"}
        detail = f": {ended.detail}" if ended.detail else ""
        return f"the run {words[ended.how]} at {ended.t:.1f} s{detail}"
    unhealed = [
        s.id for s in strikes(history) if s.begun and s.landed is not None and "healed" not in s.stages
    ]
    if unhealed:
        return f"nobody wrote down that {', '.join(unhealed)} was healed"
    return None
