"""reported: how much of the accepted work the service itself calls done."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, wilson
from capsize.checkers.lives import lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict


class ReportedDone(msgspec.Struct, frozen=True, kw_only=True):
    """At least ``min`` of the accepted tasks (of these ``clients``, if any are named) are completed, the service says.

    For a service whose workers do not announce to the witness: weaker than ``completion``, since the service is
    believed about itself. UNKNOWN when no task was accepted, or when one got no last word.
    """

    name: ClassVar[str] = "reported"

    min: float = 1.0
    clients: tuple[str, ...] = ()

    def check(self, history: History) -> Result:
        """Count what the service says."""
        accepted = [
            life for life in lives(history).acknowledged if life.client in (self.clients or (life.client,))
        ]
        silent = [life for life in accepted if life.status is None]
        if not accepted or silent:
            why = f"no last word on {counted(len(silent), 'task')}" if accepted else "no task was accepted"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=why)
        undone = [life for life in accepted if life.status != "completed"]
        done = len(accepted) - len(undone)
        ratio = done / len(accepted)
        low, high = wilson(done, len(accepted))
        failed = ratio < self.min
        found = [(life.task, f"the service says {life.status} of task {life.task}") for life in undone]
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if failed else Verdict.PASS,
            summary=f"the service calls {done} of {len(accepted)} accepted tasks completed ({ratio:.1%})",
            measures={
                "completion_ratio": round(ratio, 4),
                "completion_low": round(low, 4),
                "completion_high": round(high, 4),
                "accepted": len(accepted),
                "completed": done,
            },
            findings=tell(history, "reported", found) if failed else (),
        )
