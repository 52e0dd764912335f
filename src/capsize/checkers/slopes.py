"""Slopes, and how sure one can be of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import msgspec

from capsize.checkers.figures import Z_95

POINTS_MAX = 500
"""More points than this are thinned out: the pairs grow with the square."""


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """A slope per unit of x with its 95% interval, from ``n`` points."""

    middle: float
    low: float
    high: float
    n: int


def theil_sen(xs: Sequence[float], ys: Sequence[float]) -> Slope | None:
    """Return the median of the slopes between all pairs of points, with Sen's interval; None without a pair.

    A third of the points may be far off without moving it much. The interval rests on Kendall's tau in its normal
    approximation and takes the points as independent: where neighbours resemble each other, as memory
    sizes do, it is too narrow, so a limit on it needs room of its own. With fewer than four points the
    interval is all of the slopes seen.
    """
    points = _thinned(list(zip(xs, ys, strict=True)))
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] != a[0])
    if not slopes:
        return None
    spread = Z_95 * math.sqrt(_variance([y for _, y in points]))
    low = max(0, round((len(slopes) - spread) / 2) - 1)
    high = min(len(slopes) - 1, round((len(slopes) + spread) / 2))
    return Slope(middle=_median(slopes), low=slopes[low], high=slopes[high], n=len(points))


def _variance(ys: list[float]) -> float:
    """Return the variance of Kendall's score, less what ties take from it."""
    n = len(ys)
    ties = sum(k * (k - 1) * (2 * k + 5) for k in Counter(ys).values())
    return max(0.0, (n * (n - 1) * (2 * n + 5) - ties) / 18)


def _median(ordered: list[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = math.ceil(len(points) / POINTS_MAX)
    return points if step <= 1 else points[::step]
