"""spread: work was shared among the workers."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.fleet import Fleet, fleet, workers
from capsize.checkers.lives import lives
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

RUNS_EACH = 3
"""With fewer runs per worker than this on average, chance alone decides who gets how many."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker that was up for at least half of the work did ``min_share`` of its even share of runs.

    The even share is weighed by the time that each was up and not frozen between the first start and the last
    start of the run, so a worker that was struck is not expected to have done what it could not. UNKNOWN with fewer than two
    workers, or fewer than three runs per worker.
    """

    name: ClassVar[str] = "spread"

    min_share: float = 0.25

    def check(self, history: History) -> Result:
        """Compare each worker's runs with its share of the workers' time."""
        by_worker = {worker: lives(history).by_worker.get(worker, []) for worker in workers(history)}
        starts = [run.began for runs in by_worker.values() for run in runs]
        if len(by_worker) < 2 or len(starts) < RUNS_EACH * len(by_worker):
            summary = f"{len(starts)} runs in {len(by_worker)} workers are too few to tell how work is shared"
            return Result(
                checker=self.name, verdict=Verdict.UNKNOWN, summary=summary, measures={"runs": len(starts)}
            )
        first, last = min(starts), max(starts)
        up = {worker: _up_s(fleet(history), worker, first, last) for worker in by_worker}
        total = sum(up.values()) or 1.0
        shares = {
            worker: len(runs) / (len(starts) * up[worker] / total)
            for worker, runs in by_worker.items()
            if up[worker] >= (last - first) / 2 and up[worker] > 0
        }
        found = [
            f"{worker} did {len(by_worker[worker])} of {len(starts)} runs, {share:.0%} of its even share"
            for worker, share in sorted(shares.items())
            if share < self.min_share
        ]
        least = min(shares.values(), default=None)
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if found else Verdict.UNKNOWN if least is None else Verdict.PASS,
            summary=_summary(least, len(by_worker)),
            measures={
                "runs": len(starts),
                "least_share": None if least is None else round(least, 3),
                "runs_by_worker": {worker: len(runs) for worker, runs in sorted(by_worker.items())},
            },
            findings=tuple(Finding(anomaly="spread", message=message) for message in found),
        )


def _up_s(instances: Fleet, worker: str, first: float, last: float) -> float:
    if worker not in instances.incarnations:
        return last - first
    spans = ((max(low, first), min(high, last)) for low, high in instances.up(worker))
    return sum(instances.awake_s(worker, low, high) for low, high in spans if high > low)


def _summary(least: float | None, count: int) -> str:
    if least is None:
        return "no worker was up for half of the work"
    return f"each of {count} workers did at least {least:.0%} of its even share"
