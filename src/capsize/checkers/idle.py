"""When a worker stood idle: up, within reach of the database, and inside no task."""

from __future__ import annotations

from capsize.checkers.derived import derived
from capsize.checkers.fleet import database_trouble, fleet, horizon, workers
from capsize.checkers.lives import lives
from capsize.checkers.spans import Span, less, merged
from capsize.core.history import History


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
