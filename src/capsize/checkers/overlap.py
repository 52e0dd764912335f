"""overlap: two workers inside one task at once."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import Fleet, database_trouble, fleet
from capsize.checkers.lives import Run, lives
from capsize.checkers.spans import touches
from capsize.checkers.stories import tell
from capsize.core.history import History
from capsize.core.verdict import Result

LEAVING_S = 5.0
"""A worker that is gone this soon after it gave a run up was on its way out, and had handed the run back."""


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """No task was run by two workers, or in two attempts, at once.

    A run is inside the task from ``started`` until its ``finished``, ``failed`` or ``abandoned``, or until its
    process was gone; while its worker is frozen it is not inside. For two runs of a task, the earlier one's
    stay beyond the later one's start is judged so:

    - It finished after the later start, by more than ``tolerance_s``: an overlap. Workers wait for the
      delivery of ``finished`` before they commit, so its order beside a later start can be relied on.
    - It did not finish, and was inside no longer than ``tolerance_s``: none.
    - It did not finish, was inside no longer than ``grace_s``, and a fault explains that it lost its lease (a
      strike on its worker or on the database since it began) or it was being handed back by a worker on its
      way out: none. It is announced as abandoned only after the lease was lost.
    - Everything else is an overlap; so also a worker cut off from the database that goes on past its lease.

    UNKNOWN when the witness heard nothing, or when an overlap rests on a worker of whose process nothing is
    known (no instance of that name): it may have been dead.
    """

    name: ClassVar[str] = "overlap"

    tolerance_s: float = 0.02
    grace_s: float = 1.0

    def check(self, history: History) -> Result:
        """Compare each run of a task with those that began after it."""
        known, instances = lives(history), fleet(history)
        found: list[tuple[str, str]] = []
        doubtful = 0
        for life in known:
            if len(life.runs) < 2:
                continue
            runs = sorted(life.runs, key=lambda run: run.began)
            for number, earlier in enumerate(runs):
                for later in runs[number + 1 :]:
                    if earlier.ended is not None and _left(earlier, instances) <= later.began:
                        break
                    if not self._overlap(history, instances, earlier, later):
                        continue
                    if earlier.how == "open" and earlier.worker not in instances.incarnations:
                        doubtful += 1
                    else:
                        found.append((life.task, _message(earlier, later)))
        runs_seen = sum(len(life.runs) for life in known)
        return Result(
            checker=self.name,
            verdict=verdict_of(found, unknown=bool(doubtful) or not known.heard),
            summary=_summary(len(found), doubtful, runs_seen, known.heard),
            measures={"runs": runs_seen, "overlaps": len(found), "doubtful": doubtful},
            findings=tell(history, "overlap", found),
        )

    def _overlap(self, history: History, instances: Fleet, earlier: Run, later: Run) -> bool:
        left = _left(earlier, instances)
        beyond = left - later.began
        if beyond <= self.tolerance_s:
            return False
        if earlier.finished is not None and earlier.finished - later.began > self.tolerance_s:
            return True
        awake = instances.awake_s(earlier.worker, later.began, left)
        if awake <= self.tolerance_s:
            return False
        return awake > self.grace_s or not _explained(history, instances, earlier, later, left)


def _left(run: Run, instances: Fleet) -> float:
    """Return when a run was inside its task for the last time."""
    ended = instances.end_s if run.ended is None else run.ended
    return ended if run.finished is None else max(ended, run.finished)


def _explained(history: History, instances: Fleet, earlier: Run, later: Run, left: float) -> bool:
    faults = (*instances.harmed(earlier.worker), *database_trouble(history))
    if touches(faults, earlier.began, later.began):
        return True
    if earlier.how != "abandoned":
        # Killed after the later run began: whoever let that one begin did not know of the kill to come.
        return False
    process = instances.at(earlier.worker, earlier.began, earlier.last_heard)
    return process is not None and process.gone is not None and 0 <= process.gone - left <= LEAVING_S


def _message(earlier: Run, later: Run) -> str:
    end = (
        "was still inside at the end" if earlier.ended is None else f"{earlier.how} at {earlier.ended:.3f} s"
    )
    return (
        f"task {earlier.task} ran twice at once: {later.worker} began attempt {later.attempt} at "
        f"{later.began:.3f} s while {earlier.worker} was inside attempt {earlier.attempt} "
        f"(begun at {earlier.began:.3f} s, {end})"
    )


def _summary(found: int, doubtful: int, runs: int, heard: int) -> str:
    if not heard:
        return "the witness heard nothing"
    if found:
        return counted(found, "pair of runs overlapped", "pairs of runs overlapped")
    if doubtful:
        return (
            f"{counted(doubtful, 'pair')} of runs may have overlapped: the workers' processes are not known"
        )
    return f"no two of {counted(runs, 'run')} of a task overlapped"
