"""The work over time: what was accepted, what is done, what waits; and the memory of each process."""

from __future__ import annotations

from itertools import accumulate

import msgspec

from capsize.checkers.lives import lives
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.report.charts.bins import BINS_MAX, binned, middles, thinned

MEMORY_MAX = 12
"""So many processes are drawn, those with the most memory."""


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """What the service said of its queue, at each look: seconds, and tasks by state."""

    t: list[float]
    pending: list[int | None]
    running: list[int | None]
    dead: list[int | None]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks accepted and finished up to the end of each bin, by the clients and the witness."""

    t: list[float]
    accepted: list[int]
    finished: list[int]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Private memory of the processes in MiB at each look (None: not looked at then)."""

    t: list[float]
    names: list[str]
    mib: list[list[float | None]]


def depth(history: History) -> Depth:
    """Return the queue's depth as the service counted it."""
    looks = [s for s in history.of(Sample) if s.probe == "stats" and s.error is None]
    looks = thinned(looks, 2 * BINS_MAX)
    return Depth(
        t=[round(look.began, 3) for look in looks],
        pending=[_count(look, "pending") for look in looks],
        running=[_count(look, "running") for look in looks],
        dead=[_count(look, "dead_letter") for look in looks],
    )


def work(history: History) -> Work:
    """Return the sums of accepted and finished tasks."""
    end_s = history.end_s
    known = lives(history).acknowledged
    accepted = binned(((life.acknowledged or 0.0, 1) for life in known), end_s)
    finished = binned(((t, 1) for life in known if (t := life.finished) is not None), end_s)
    return Work(
        t=middles(end_s),
        accepted=list(accumulate(len(one) for one in accepted)),
        finished=list(accumulate(len(one) for one in finished)),
    )


def memory(history: History) -> Memory:
    """Return the memory of the processes that were looked at; a look at several of them is one moment."""
    end_s = history.end_s
    points: dict[str, list[tuple[float, float]]] = {}
    for sample in history.of(Sample):
        size = sample.values.get("private_bytes", sample.values.get("rss_bytes"))
        if sample.probe == "resources" and sample.error is None and isinstance(size, int | float):
            points.setdefault(sample.subject, []).append((sample.began, size / 2**20))
    most = sorted(points, key=lambda name: -max(size for _, size in points[name]))[:MEMORY_MAX]
    return Memory(
        t=middles(end_s),
        names=most,
        mib=[
            [round(max(sizes), 1) if sizes else None for sizes in binned(points[name], end_s)]
            for name in most
        ],
    )


def _count(look: Sample, name: str) -> int | None:
    value = look.values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
