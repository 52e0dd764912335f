"""Time cut into equal bins, few enough to be drawn and wide enough to hold something."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

BINS_MAX = 300
WIDTHS_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Widths that a reader takes in at a glance; a run of many hours gets whole minutes."""


def width_s(end_s: float) -> float:
    """Return the smallest of the widths with which a run of that length fits into ``BINS_MAX`` bins."""
    fitting = (width for width in WIDTHS_S if end_s <= width * BINS_MAX)
    return next(fitting, math.ceil(end_s / BINS_MAX / 60.0) * 60.0)


def binned(items: Iterable[tuple[float, T]], end_s: float) -> list[list[T]]:
    """Return the items of each bin from 0 to ``end_s``, by their times in seconds."""
    width = width_s(end_s)
    bins: list[list[T]] = [[] for _ in range(max(1, math.ceil(end_s / width)))]
    for t, item in items:
        bins[min(max(int(t / width), 0), len(bins) - 1)].append(item)
    return bins


def middles(end_s: float) -> list[float]:
    """Return the middle of each bin, in seconds."""
    width = width_s(end_s)
    return [round((number + 0.5) * width, 3) for number in range(max(1, math.ceil(end_s / width)))]


def thinned(points: list[T], most: int) -> list[T]:
    """Return every n-th of the points, so that at most ``most`` are left; the last is always among them."""
    step = math.ceil(len(points) / most)
    return points if step <= 1 else [*points[:-1:step], points[-1]]
