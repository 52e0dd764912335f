"""resurrected: a task that ran after it was over."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import Fleet, fleet
from capsize.checkers.lives import Life, lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result

OVER = frozenset({"completed", "failed", "cancelled"})


class Resurrected(msgspec.Struct, frozen=True, kw_only=True):
    """No task began after a client's cancelling of it was confirmed, or after the service called it over.

    A start up to ``grace_s`` later is let pass, time in which its worker was frozen not counted: the claim may
    have come before, and the announcement after. A requeue of the task by a client allows further runs.

    UNKNOWN when the witness heard nothing.
    """

    name: ClassVar[str] = "resurrected"

    grace_s: float = 0.5

    def check(self, history: History) -> Result:
        """Compare the starts with the moments at which the task was over."""
        known, instances = lives(history), fleet(history)
        found = [(life.task, why) for life in known if (why := self._why(life, instances))]
        cancelled = sum(any(ok for _, ok in life.cancels) for life in known)
        summary = "no task ran after it was over"
        if found:
            summary = counted(len(found), "task") + " ran after being over"
        elif not known.heard:
            summary = "the witness heard nothing"
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=not known.heard),
            summary=summary,
            measures={"cancelled": cancelled, "resurrected": len(found)},
            findings=tell(history, "resurrected", found),
        )

    def _why(self, life: Life, instances: Fleet) -> str | None:
        ends = [(t, "cancelled") for t, confirmed in life.cancels if confirmed]
        if life.reported is not None and life.status in OVER:
            ends.append((life.reported.t, f"called {life.status}"))
        for over, how in ends:
            for run in life.runs:
                if any(over <= t <= run.began for t in life.resets):
                    continue
                if run.began > over and instances.awake_s(run.worker, over, run.began) > self.grace_s:
                    return (
                        f"task {life.task} was {how} at {over:.3f} s, and {run.worker} began attempt "
                        f"{run.attempt} of it at {run.began:.3f} s"
                    )
        return None
