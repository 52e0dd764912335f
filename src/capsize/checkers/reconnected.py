"""reconnected: a worker whose connections were disturbed goes back to work."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, seconds, verdict_of
from capsize.checkers.fleet import horizon, workers
from capsize.checkers.links import on_workers, to_database
from capsize.checkers.strikes import Strike
from capsize.core.events import Witnessed
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class Reconnected(msgspec.Struct, frozen=True, kw_only=True):
    """After a strike on a worker's connections to the database was healed, the worker began runs again.

    It is back with the first run that it began after the healing. It is not, if the other workers began so many runs
    without it that by chance this happens in one of 3,000 cases (``share`` for each worker that there is), and
    ``limit_s`` passed. Workers with little to do are judged by neither, nor are those that were disturbed again, or
    whose run ended, before: they are counted. UNKNOWN when none is left.
    """

    name: ClassVar[str] = "reconnected"

    limit_s: float = 10.0
    share: int = 8

    def check(self, history: History) -> Result:
        """Time each worker of each strike."""
        took: list[float] = []
        late: list[Finding] = []
        open_ = 0
        for strike, worker, until in _cases(history):
            since = strike.healing or strike.begin
            back, others = _begun(history, worker, since, until)
            if self._late(history, since, until if back is None else back, others):
                late.append(self._finding(strike, worker, since, back, others))
            elif back is not None:
                took.append(back - since)
            else:
                open_ += 1
        summary = f"workers were back at work {max(took, default=0.0):.2f} s after {counted(len(took), 'disturbance')}"
        if late:
            summary = late[0].message
        elif not took:
            summary = "no strike on a worker's connections was followed until it worked again"
        measures: dict[str, object] = {"reconnected": len(took), "not_judged": open_}
        if took:
            measures["reconnected_max_s"] = seconds(max(took))
        return Result(
            checker=self.name,
            verdict=verdict_of(late, unknown=not took),
            summary=summary,
            measures=measures,
            findings=tuple(late),
        )

    def _late(self, history: History, since: float, moment: float, others: int) -> bool:
        return moment - since > self.limit_s and others >= self.share * len(workers(history))

    def _finding(self, strike: Strike, worker: str, since: float, back: float | None, others: int) -> Finding:
        how = "never" if back is None else f"only after {back - since:.1f} s"
        return Finding(
            anomaly="reconnected",
            message=(
                f"after {strike.id} ({strike.fault} on the connections of {worker}) was healed at {since:.3f} s, "
                f"{worker} went back to work {how}; the others began {counted(others, 'run')} meanwhile"
            ),
            story=tuple(f"{t:8.3f} {strike.id}: {stage}" for stage, t in strike.stages.items()),
        )


def _cases(history: History) -> list[tuple[Strike, str, float]]:
    """Return each strike, each worker that it disturbed, and until when nothing else disturbed that worker."""
    found = [
        (strike, worker)
        for strike in on_workers(history)
        for worker in sorted(to_database(history, strike) & workers(history))
    ]
    cases = []
    for strike, worker in found:
        since = strike.healing or strike.begin
        later = [one.begin for one, other in found if other == worker and one.begin > strike.begin]
        if not any(begin <= since for begin in later):
            cases.append((strike, worker, min([*later, horizon(history)])))
    return cases


def _begun(history: History, worker: str, since: float, until: float) -> tuple[float | None, int]:
    """Return when a worker began a run after a moment, and how many runs the others had begun by then."""
    others = 0
    for event in history.of(Witnessed):
        if event.event != "started" or not since <= event.t <= until:
            continue
        if event.worker == worker:
            return event.t, others
        others += 1
    return None, others
