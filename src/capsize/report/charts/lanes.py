"""One lane per instance: when it started, was up, frozen, down, and inside a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from capsize.checkers.fleet import Fleet, fleet
from capsize.checkers.lives import lives
from capsize.checkers.spans import Span, less, merged, touches
from capsize.checkers.strikes import services
from capsize.core.history import History

LANES_MAX = 40
"""More instances than this are counted and not drawn."""
RESIZING = frozenset({"scale"})
"""Faults that change how many instances there are, and break none."""
BUSY_GRAIN = 2000
"""Gaps in a lane's work shorter than this part of the run can't be seen, and are closed."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One instance. ``spans`` are (state, begin, end) with state ``starting``, ``up``, ``frozen`` or ``down``.

    ``down`` is away without being asked to; where an instance was stopped in order, the lane is empty.
    """

    name: str
    service: str
    spans: list[tuple[str, float, float]]
    busy: list[Span]
    starts: int
    up_s: float
    down_s: float
    frozen_s: float


def lanes(history: History) -> tuple[Lane, ...]:
    """Return the lanes in the order in which the instances were first heard of; one-off jobs are left out."""
    instances = fleet(history)
    named = services(history)
    servers = [
        name for name, line in instances.incarnations.items() if any(one.ready is not None for one in line)
    ]
    return tuple(_lane(history, instances, name, named.get(name, "")) for name in servers[:LANES_MAX])


def _lane(history: History, instances: Fleet, name: str, service: str) -> Lane:
    frozen = instances.frozen.get(name, ())
    up = less(_clipped(instances.up(name)), frozen)
    down = tuple(_down(instances, name))
    spans = [
        *(("starting", *span) for span in _starting(instances, name)),
        *(("up", *span) for span in up),
        *(("frozen", *span) for span in frozen),
        *(("down", *span) for span in down),
    ]
    return Lane(
        name=name,
        service=service,
        spans=[(state, round(begin, 3), round(end, 3)) for state, begin, end in sorted(spans, key=_begin)],
        busy=_busy(history, name),
        starts=len(instances.incarnations[name]),
        up_s=_sum(up),
        down_s=_sum(down),
        frozen_s=_sum(frozen),
    )


def _begin(span: tuple[str, float, float]) -> float:
    return span[1]


def _clipped(spans: Iterable[Span]) -> list[Span]:
    """Return the spans from the run's begin on; an instance may have been up before."""
    return [(max(0.0, begin), end) for begin, end in spans]


def _starting(instances: Fleet, name: str) -> Iterator[Span]:
    for one in instances.incarnations[name]:
        until = one.ready if one.ready is not None else one.gone
        yield max(0.0, one.born), instances.end_s if until is None else until


def _down(instances: Fleet, name: str) -> Iterator[Span]:
    """Yield from each end that the run did not mean to last to the next start: a death, or a stop by a strike."""
    line = instances.incarnations[name]
    for one, after in zip(line, [*line[1:], None], strict=True):
        if one.gone is not None and (not one.on_purpose or _struck_away(instances, name, one.gone)):
            yield one.gone, instances.end_s if after is None else max(one.gone, after.born)


def _struck_away(instances: Fleet, name: str, gone: float) -> bool:
    """Return whether an orderly stop was a strike's doing; fewer instances by a change of size are no harm."""
    struck = (s for s in instances.struck.get(name, ()) if s.fault not in RESIZING)
    return touches((strike.span(instances.end_s) for strike in struck), gone, gone)


def _busy(history: History, name: str) -> list[Span]:
    grain = history.end_s / BUSY_GRAIN
    runs = lives(history).by_worker.get(name, ())
    ends = ((run.began, history.end_s if run.ended is None else run.ended) for run in runs)
    return [
        (round(begin, 3), round(end - grain, 3)) for begin, end in merged((b, e + grain) for b, e in ends)
    ]


def _sum(spans: Iterable[Span]) -> float:
    return round(sum(end - begin for begin, end in spans), 2)
