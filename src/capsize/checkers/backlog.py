"""Accepted work that waits for a worker, as the clients and the witness saw it."""

from __future__ import annotations

from collections.abc import Iterator

from capsize.checkers.derived import derived
from capsize.checkers.fleet import horizon
from capsize.checkers.lives import Life, lives
from capsize.checkers.spans import Span
from capsize.core.history import History


@derived
def waits(history: History) -> tuple[Span, ...]:
    """Return each stretch for which a task waited: from its acknowledgement, or the end of a run, to its next run.

    A task that never finished waits until the end of the last phase.
    """
    end = horizon(history)
    return tuple(span for life in lives(history).acknowledged for span in _of(life, end))


@derived
def depth(history: History) -> tuple[tuple[float, int], ...]:
    """Return how many tasks waited from each moment on at which that number changed."""
    steps: dict[float, int] = {}
    for low, high in waits(history):
        steps[low] = steps.get(low, 0) + 1
        steps[high] = steps.get(high, 0) - 1
    waiting, curve = 0, []
    for t in sorted(steps):
        waiting += steps[t]
        curve.append((t, waiting))
    return tuple(curve)


def deep(history: History, least: int) -> tuple[Span, ...]:
    """Return when at least so many tasks waited at once."""
    spans: list[Span] = []
    since: float | None = None
    for t, waiting in depth(history):
        if waiting >= least and since is None:
            since = t
        elif waiting < least and since is not None:
            spans.append((since, t))
            since = None
    if since is not None:
        spans.append((since, horizon(history)))
    return tuple(spans)


def _of(life: Life, end: float) -> Iterator[Span]:
    since = life.acknowledged
    for run in sorted(life.runs, key=lambda one: one.began):
        if since is not None and run.began > since:
            yield since, run.began
        done = run.finished is not None or run.ended is None
        since = None if done else run.ended
    if since is not None and life.status not in ("failed", "cancelled") and since < end:
        yield since, end
