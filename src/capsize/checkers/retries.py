"""retries: evidence that work survived its worker."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted
from capsize.checkers.fleet import workers
from capsize.checkers.lives import Run, lives
from capsize.checkers.strikes import strikes
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that were lost with their worker, or given up, were run again; counted, and ``required`` or not.

    A retry is a run whose predecessor in the same task did not come to its own end: its process was gone
    (``after_loss``) or it was abandoned (``after_abandon``). A run after a failed attempt is counted apart.
    When required: FAIL if runs were lost to strikes and none of their tasks was begun again; UNKNOWN if no
    strike made a worker lose a run, since nothing was shown then.
    """

    name: ClassVar[str] = "retries"

    required: bool = False

    def check(self, history: History) -> Result:
        """Count the runs by what became of the run before them."""
        before = {"exited": 0, "abandoned": 0, "failed": 0}
        again: set[int] = set()
        runs: list[Run] = []
        for life in lives(history):
            ordered = sorted(life.runs, key=lambda run: run.began)
            runs += ordered
            for first, _ in pairwise(ordered):
                again.add(id(first))
                if first.finished is None and first.how in before:
                    before[first.how] += 1
        retries = before["exited"] + before["abandoned"]
        lost = [run for run in runs if run.how in ("exited", "abandoned") and run.finished is None]
        hit = [run for run in lost if _struck(history, run)]
        verdict, summary = self._judge(retries, len(hit))
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=summary,
            measures={
                "retries": retries,
                "after_loss": before["exited"],
                "after_abandon": before["abandoned"],
                "after_failure": before["failed"],
                "runs_struck": len(hit),
                "struck_and_run_again": sum(id(run) in again for run in hit),
            },
            findings=(Finding(anomaly="retries", message=summary),) if verdict is Verdict.FAIL else (),
        )

    def _judge(self, retries: int, hit: int) -> tuple[Verdict, str]:
        if retries or not self.required:
            return Verdict.PASS, f"{counted(retries, 'run was', 'runs were')} made up for after a loss"
        if hit:
            return Verdict.FAIL, f"{counted(hit, 'run was', 'runs were')} lost to strikes, none was run again"
        return Verdict.UNKNOWN, "no strike made a worker lose a run, so nothing had to be retried"


def _struck(history: History, run: Run) -> bool:
    """Return whether a strike on a run's worker came while it was inside."""
    return any(
        strike.begun and run.worker in strike.victims and run.inside(strike.begin)
        for strike in strikes(history)
        if workers(history).intersection(strike.victims)
    )
