"""misreported: the service says one thing of a task, and the witness saw another."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import horizon
from capsize.checkers.lives import Life, lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result


class Misreported(msgspec.Struct, frozen=True, kw_only=True):
    """What the service says of a task in the audit agrees with what its workers had announced until then.

    Misreported is a task that is called completed and that the witness never saw finish; one whose result a
    worker announced as recorded and that the service does not call completed; and one that was recorded
    before its effect was announced. A client's requeue after the record, or a delete, is taken into account.

    UNKNOWN when the service gave no last word on any task.
    """

    name: ClassVar[str] = "misreported"

    def check(self, history: History) -> Result:
        """Compare the last words with the announcements."""
        known = lives(history)
        found = [(life.task, why) for life in known if (why := _why(life, horizon(history)))]
        asked = sum(life.reported is not None for life in known)
        summary = f"the service and the witness agree on {counted(asked, 'task')}"
        if found:
            summary = f"the service and the witness contradict each other on {counted(len(found), 'task')}"
        elif not asked:
            summary = "the service was never asked for its last word"
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=not asked),
            summary=summary,
            measures={"compared": asked, "misreported": len(found)},
            findings=tell(history, "misreported", found),
        )


def _why(life: Life, audit: float) -> str | None:
    """Return the contradiction; what was recorded after the audit began may not be in its answers."""
    status, recorded = life.status, life.recorded
    if life.reported is not None and status == "completed":
        if life.finished is None:
            return f"task {life.task} is called completed, and the witness never saw it finish"
        if life.finished > life.reported.t:
            return f"task {life.task} was called completed at {life.reported.t:.3f} s, before it was finished"
    early = next((run for run in life.runs if _recorded_early(run.recorded, run.finished)), None)
    if early is not None:
        return f"task {life.task} was recorded at {early.recorded:.3f} s, before its effect was done"
    if (
        recorded is None
        or recorded > audit
        or status in (None, "completed")
        or _reopened(life, recorded, status)
    ):
        return None
    return f"task {life.task} was recorded as done at {recorded:.3f} s, and the service calls it {status}"


def _recorded_early(recorded: float | None, finished: float | None) -> bool:
    return recorded is not None and (finished is None or recorded < finished)


def _reopened(life: Life, recorded: float, status: str | None) -> bool:
    """Return whether a client's request after the record explains the status."""
    if status == "missing":
        # The record is announced after its commit: whoever saw it there first may delete the task in between.
        done = recorded if life.finished is None else min(recorded, life.finished)
        return any(t >= done for t in life.deletes)
    return any(t >= recorded for t in life.resets)
