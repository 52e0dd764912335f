"""attempts: no attempt is spent without a call."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.circuits import callers, spells, task_of
from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.lives import Life
from capsize.checkers.stories import tell
from capsize.core.events import Called
from capsize.core.history import History
from capsize.core.verdict import Result


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """No task counts more failed attempts than it made calls that did not lead to its finish.

    A service that claims tasks while their circuit is open, and fails them for it, uses their attempts up
    against nobody. A run while nobody listened counts as a call: a refused connection leaves no other trace.

    UNKNOWN when no task of the load ``client`` counts a failed attempt in the final audit.
    """

    name: ClassVar[str] = "attempts"

    client: str = "calls"

    def check(self, history: History) -> Result:
        """Compare the attempts that the service counts with the calls that came."""
        tasks = task_of(history)
        made: dict[str, int] = {}
        for call in history.of(Called):
            task = tasks.get(call.key, "")
            made[task] = made.get(task, 0) + 1
        asked = [life for life in callers(history, self.client) if life.reported is not None]
        counts = {life.task: life.reported.attempts for life in asked if life.reported is not None}
        found = [
            (
                life.task,
                f"task {life.task} counts {counted(counts[life.task], 'failed attempt')} and made "
                f"{counted(had, 'call')} that can have failed",
            )
            for life in asked
            if counts[life.task]
            > (had := made.get(life.task, 0) - len(life.finishes) + _refused(history, life))
        ]
        spent = sum(counts.values())
        summary = f"{counted(spent, 'failed attempt')}, each with a call of its own"
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=not spent),
            summary=found[0][1] if found else summary if spent else "no failed attempt was counted",
            measures={
                "attempts": spent,
                "attempts_max": max(counts.values(), default=0),
                "unfounded": len(found),
            },
            findings=tell(history, "attempts", found),
        )


def _refused(history: History, life: Life) -> int:
    """Return how many of a task's failed runs fell into a time in which nobody listened."""
    refused = [spell for spell in spells(history) if spell.mode == "refuse"]
    return sum(
        run.how == "failed"
        and any(spell.begin <= (run.ended or run.began) and run.began <= spell.end for spell in refused)
        for run in life.runs
    )
