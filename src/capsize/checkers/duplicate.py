"""duplicate: work that was done twice."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import database_trouble, fleet
from capsize.checkers.lives import Life, Run, lives
from capsize.checkers.spans import touches
from capsize.checkers.stories import tell
from capsize.checkers.unfinished import REMOTE
from capsize.core.events import Op
from capsize.core.history import History
from capsize.core.verdict import Result

COMMIT_S = 1.0
"""A service that never announces ``recorded`` is taken to commit within this after the finish."""


RECONNECT_S = 1.0
"""A worker may need so long to find a database again that is back, and can't record until then."""


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """No task finished twice at the witness, save where a fault came between the effect and its record.

    ``finished`` is announced before the commit. A finish that was never recorded, and that was followed by a
    fault before its record could be made, may be done again: at-least-once delivery, counted as
    ``redelivered``. The fault must be in the history: a strike on that worker or its exit, or a strike on the
    database or its absence, up to a second more for finding it again, which shares a moment with the time
    from the finish to the next run's start, at most ``lease_s``. A run that had begun before the earlier one finished is never excused so, nor is one
    whose predecessor was recorded. A requeue by a client between the two finishes makes them two jobs.

    A submission that was repeated and made two tasks is work done twice as well: a task that finished and that no
    submission was acknowledged with. Submissions that were never acknowledged, and may have had an effect, explain
    as many such tasks as they are. Of a service that capsize did not start nobody knows who else submits.

    UNKNOWN when the witness heard nothing.
    """

    name: ClassVar[str] = "duplicate"

    lease_s: float = 5.0

    def check(self, history: History) -> Result:
        """Look at each pair of finishes of one task that follow each other."""
        known = lives(history)
        found: list[tuple[str, str]] = []
        redelivered = 0
        records = any(life.recorded is not None for life in known)
        for life in known:
            if len(life.runs) < 2:
                continue
            done = life.finishes
            for earlier, later in pairwise(done):
                if _asked_for(life, earlier, later):
                    continue
                if self._excused(history, earlier, later, records):
                    redelivered += 1
                else:
                    found.append((life.task, _message(earlier, later)))
        found += _made_twice(history)
        finished = sum(life.finished is not None for life in known)
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=not known.heard),
            summary=_summary(len(found), finished, redelivered, known.heard),
            measures={"finished": finished, "duplicates": len(found), "redelivered": redelivered},
            findings=tell(history, "duplicate", found),
        )

    def _excused(self, history: History, earlier: Run, later: Run, records: bool) -> bool:
        done = earlier.finished or 0.0
        if earlier.recorded is not None or later.began < done:
            return False
        until = min(later.began, done + (self.lease_s if records else COMMIT_S))
        away = ((low, high + RECONNECT_S) for low, high in database_trouble(history))
        return touches((*fleet(history).harmed(earlier.worker), *away), done, until)


def _made_twice(history: History) -> list[tuple[str, str]]:
    """Return the finished tasks that only a repeated submission can have made; none unless more than can be explained."""
    known = lives(history)
    remote = history.began is not None and history.began.platform == REMOTE
    if remote or not known.acknowledged:
        return []
    tries = [op for op in history.of(Op) if op.call == "submit" and op.outcome != "fail"]
    settled = {op.key for op in tries if op.outcome == "ok"}
    open_ = {op.key or f"try {number}" for number, op in enumerate(tries)} - settled
    ghosts = [life for life in known if life.finished is not None and life.acknowledged is None]
    if len(ghosts) <= len(open_):
        return []
    return [
        (
            life.task,
            f"task {life.task} finished at {life.finished:.3f} s, and no submission was acknowledged with it: one "
            "that was repeated made two tasks",
        )
        for life in ghosts
    ]


def _asked_for(life: Life, earlier: Run, later: Run) -> bool:
    return any((earlier.finished or 0.0) <= t <= later.began for t in life.resets)


def _message(earlier: Run, later: Run) -> str:
    recorded = "recorded" if earlier.recorded is not None else "not recorded"
    return (
        f"task {earlier.task} finished twice: at {earlier.finished:.3f} s in {earlier.worker} "
        f"(attempt {earlier.attempt}, {recorded}) and at {later.finished:.3f} s in {later.worker} "
        f"(attempt {later.attempt})"
    )


def _summary(found: int, finished: int, redelivered: int, heard: int) -> str:
    if not heard:
        return "the witness heard nothing"
    if found:
        return counted(found, "task finished twice", "tasks finished twice")
    again = f"; {redelivered} done again after a fault before the record" if redelivered else ""
    return f"none of {counted(finished, 'finished task')} was done twice{again}"
