"""reconnected: a worker whose connections were disturbed goes back to work."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.converged import nothing_waits
from capsize.checkers.figures import counted, seconds, verdict_of
from capsize.checkers.fleet import horizon, workers
from capsize.checkers.links import on_workers, to_database
from capsize.checkers.strikes import Strike
from capsize.core.events import Witnessed
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class Reconnected(msgspec.Struct, frozen=True, kw_only=True):
    """After a strike on a worker's connections to the database was healed, the worker took up work within ``limit_s``.

    Work is a run that it announced as started after the healing; nothing to do counts as well: the moment at which
    every task accepted by then had been begun by somebody. A run that it was inside of all the while counts when
    it says something of it. Strikes that the next one on the same worker, or the end, followed sooner than it was
    back are counted and not judged. UNKNOWN when none is left.
    """

    name: ClassVar[str] = "reconnected"

    limit_s: float = 10.0

    def check(self, history: History) -> Result:
        """Time each worker of each strike."""
        took: list[float] = []
        late: list[Finding] = []
        open_ = 0
        for strike, worker, until in _cases(history):
            since = strike.healing or strike.begin
            back = _back(history, worker, since, until)
            if back is not None and back - since <= self.limit_s:
                took.append(back - since)
            elif until - since > self.limit_s:
                late.append(self._finding(strike, worker, since, back))
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

    def _finding(self, strike: Strike, worker: str, since: float, back: float | None) -> Finding:
        how = "never" if back is None else f"only after {back - since:.1f} s"
        return Finding(
            anomaly="reconnected",
            message=(
                f"after {strike.id} ({strike.fault} on the connections of {worker}) was healed at {since:.3f} s, "
                f"{worker} went back to work {how}; {self.limit_s:g} s is the limit"
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


def _back(history: History, worker: str, since: float, until: float) -> float | None:
    heard = (e.t for e in history.of(Witnessed) if e.worker == worker and since <= e.t <= until)
    moment = min(next(heard, float("inf")), nothing_waits(history, since, until))
    return None if moment == float("inf") else moment
