"""stuck: a task that nobody takes up again after its worker is gone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import counted, quantile, seconds, verdict_of
from capsize.checkers.fleet import database_trouble, fleet
from capsize.checkers.idle import idle_since
from capsize.checkers.lives import Life, Run, lives
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Every task whose run was cut off was taken up again once its lease was over and a worker stood idle.

    A run is cut off when its process was gone before it finished, or when it was given up; a run that ended
    otherwise counts when the service still calls the task running. The task is stuck if it was not begun
    again, the service's last word is pending or running, and a worker was up, reached the database and had
    nothing to do for ``grace_s`` at a stretch, later than ``lease_s`` + ``grace_s`` after the loss. As long as
    every worker is busy, no task is stuck.

    UNKNOWN when such a task got no last word: it may have been dead-lettered. The measures tell how long the
    tasks of dead workers waited for their next run.
    """

    name: ClassVar[str] = "stuck"

    lease_s: float = 5.0
    grace_s: float = 1.0

    def check(self, history: History) -> Result:
        """Look at the last run of each task, and at the waits between the others."""
        known = lives(history)
        found: list[tuple[str, str]] = []
        doubtful = 0
        for life in known:
            why = self._why(history, life)
            if why is not None and life.reported is None:
                doubtful += 1
            elif why is not None:
                found.append((life.task, why))
        waits = _waits(history)
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=bool(doubtful) or not known.heard),
            summary=_summary(len(found), doubtful, waits, known.heard),
            measures={"stuck": len(found), **_figures(waits)},
            findings=tell(history, "stuck", found),
        )

    def _why(self, history: History, life: Life) -> str | None:
        if not life.runs or life.recorded is not None or any(ok for _, ok in life.cancels):
            return None
        last = max(life.runs, key=lambda run: run.began)
        if last.ended is None or life.status not in ("pending", "running", None):
            return None
        cut_off = last.how in ("exited", "abandoned") and last.finished is None
        if not cut_off and life.status != "running":
            return None
        loss = last.ended
        free = idle_since(history, self._free_at(history, loss), self.grace_s)
        if free is None:
            return None
        worker, since = free
        said = life.status or "not asked about"
        return (
            f"task {life.task} was cut off in {last.worker} at {loss:.3f} s ({last.how}) and never begun again, "
            f"though {worker} stood idle at {since:.3f} s; at the end it is {said}"
        )

    def _free_at(self, history: History, loss: float) -> float:
        """Return when the task should have been free: a lease after the loss, and after a database outage."""
        waits = [loss, *(high for low, high in database_trouble(history) if high > loss)]
        return max(waits) + self.lease_s + self.grace_s


def _waits(history: History) -> list[float]:
    """Return the seconds from each loss of a worker with a task to the task's next run."""
    waits: list[float] = []
    for life in lives(history):
        runs = sorted(life.runs, key=lambda run: run.began)
        for lost, after in pairwise(runs):
            if lost.how == "exited" and lost.ended is not None and after.began >= lost.ended:
                waits.append(after.began - _died(history, lost))
    return waits


def _died(history: History, run: Run) -> float:
    process = fleet(history).at(run.worker, run.began, run.last_heard)
    return run.ended or 0.0 if process is None or process.died is None else process.died


def _figures(waits: list[float]) -> dict[str, Any]:
    if not waits:
        return {"redeliveries": 0}
    return {
        "redeliveries": len(waits),
        "redelivery_p50_s": seconds(quantile(waits, 0.5)),
        "redelivery_max_s": seconds(max(waits)),
    }


def _summary(found: int, doubtful: int, waits: list[float], heard: int) -> str:
    if not heard:
        return "the witness heard nothing"
    if found:
        return counted(found, "task of a lost run was", "tasks of lost runs were") + " never begun again"
    if doubtful:
        return f"{counted(doubtful, 'cut-off task')} without a later run or a last word of the service"
    if not waits:
        return "no task was left behind by its worker"
    return f"{counted(len(waits), 'task')} of dead workers begun again within {max(waits):.1f} s"
