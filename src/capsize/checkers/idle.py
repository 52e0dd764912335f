"""When a worker stood idle: up, within reach of the database, and inside no task."""

from __future__ import annotations

from capsize.checkers.derived import derived
from capsize.checkers.fleet import database_trouble, fleet, workers
from capsize.checkers.lives import lives
from capsize.checkers.spans import Span, less, merged
from capsize.core.events import PhaseChanged, Reported
from capsize.core.history import History


@derived
def horizon(history: History) -> float:
    """Return until when the service was expected to work: the audit, else the end of the last phase."""
    audits = [event.t for event in history.of(Reported)]
    if audits:
        return audits[0]
    ends = [event.t for event in history.of(PhaseChanged) if event.what == "end"]
    begun = len(history.phases)
    return ends[-1] if ends and len(ends) == begun else history.end_s


@derived
def idle(history: History) -> dict[str, tuple[Span, ...]]:
    """Return each worker's idle stretches; a busy worker may be idle too if it could run several tasks."""
    instances, known = fleet(history), lives(history)
    end = horizon(history)
    trouble = database_trouble(history)
    stretches: dict[str, tuple[Span, ...]] = {}
    for worker in workers(history):
        busy = merged(
            (run.began, instances.end_s if run.ended is None else run.ended)
            for run in known.by_worker.get(worker, ())
        )
        up = [(low, min(high, end)) for low, high in instances.up(worker) if low < end]
        stretches[worker] = less(up, merged([*busy, *trouble, *instances.frozen.get(worker, ())]))
    return stretches


def idle_since(history: History, since: float, for_s: float) -> tuple[str, float] | None:
    """Return a worker, and the moment, at which it had been idle for so long at a stretch after ``since``."""
    for worker, spans in sorted(idle(history).items()):
        for low, high in spans:
            began = max(low, since)
            if high - began >= for_s:
                return worker, began + for_s
    return None
