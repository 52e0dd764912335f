"""Workers that were added, and how soon they took part in the work."""

from __future__ import annotations

import msgspec

from capsize.checkers.backlog import deep
from capsize.checkers.fleet import fleet
from capsize.checkers.lives import lives
from capsize.checkers.resizes import Resize
from capsize.core.history import History


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that was ready at ``ready``: when it began its first run, and how long it let work wait.

    ``work_waited_s`` is the longest stretch before its first run in which a task waited without a break.
    """

    instance: str
    ready: float
    first_run: float | None
    work_waited_s: float

    @property
    def proven(self) -> bool:
        """Return whether there was work for it, so that taking or leaving it says something."""
        return self.first_run is not None or self.work_waited_s > 0


def newcomers(history: History, step: Resize) -> list[Newcomer]:
    """Return the workers that a step added and that became ready."""
    found: list[Newcomer] = []
    for name in step.added:
        line = fleet(history).incarnations.get(name, ())
        process = next((one for one in line if one.born >= step.begin and one.ready is not None), None)
        if process is None or process.ready is None:
            continue
        until = fleet(history).end_s if process.gone is None else process.gone
        runs = [run.began for run in lives(history).by_worker.get(name, ())]
        first = min((t for t in runs if process.born <= t <= until), default=None)
        waited = _waited(history, process.ready, until if first is None else first)
        found.append(Newcomer(instance=name, ready=process.ready, first_run=first, work_waited_s=waited))
    return found


def _waited(history: History, since: float, until: float) -> float:
    spans = ((max(low, since), min(high, until)) for low, high in deep(history, 1))
    return max((high - low for low, high in spans if high > low), default=0.0)
