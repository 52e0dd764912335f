"""utilization: while work waits, the workers that there are do it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.backlog import deep
from capsize.checkers.figures import seconds
from capsize.checkers.fleet import fleet, workers
from capsize.checkers.lives import lives
from capsize.checkers.spans import merged, shared_s
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Utilization(msgspec.Struct, frozen=True, kw_only=True):
    """While tasks waited, the ready workers were inside tasks for at least ``min`` of their time.

    ``settle_s`` of each stretch of waiting are left out: so long a worker may take to hear of new work. It is
    for workers that run one task at a time. UNKNOWN when work waited for less than ``waiting_s`` altogether.
    """

    name: ClassVar[str] = "utilization"

    min: float = 0.6
    settle_s: float = 0.5
    waiting_s: float = 3.0

    def check(self, history: History) -> Result:
        """Lay the workers' runs beside the stretches in which work waited."""
        waiting = [
            (low + self.settle_s, high) for low, high in deep(history, 1) if high - low > self.settle_s
        ]
        length = sum(high - low for low, high in waiting)
        if length < self.waiting_s:
            summary = f"work waited for {length:.1f} s only: how well the workers are used can't be told"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        there = busy = 0.0
        for worker in workers(history):
            runs = lives(history).by_worker.get(worker, ())
            end = fleet(history).end_s
            inside = merged((run.began, end if run.ended is None else run.ended) for run in runs)
            for low, high in fleet(history).up(worker):
                for begin, until in waiting:
                    first, last = max(low, begin), min(high, until)
                    there += max(0.0, last - first)
                    busy += shared_s(inside, first, last) if last > first else 0.0
        share = busy / there if there else 0.0
        summary = f"the workers were busy {share:.0%} of the {length:.0f} s in which work waited"
        poor = share < self.min
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if poor else Verdict.PASS,
            summary=summary,
            measures={
                "utilization_ratio": round(share, 4),
                "waiting_s": seconds(length),
                "worker_s": seconds(there),
                "busy_s": seconds(busy),
            },
            findings=(Finding(anomaly=self.name, message=f"{summary}; {self.min:.0%} required"),)
            if poor
            else (),
        )
