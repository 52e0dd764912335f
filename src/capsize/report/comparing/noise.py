"""How sure a difference is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capsize.checkers.figures import Z_95
from capsize.checkers.spans import Span

PAIRS_MAX = 250_000
"""More pairs than this are thinned out evenly; the interval of so many is narrow anyway."""


def shift(before: Sequence[float], after: Sequence[float]) -> Span | None:
    """Return the 95% interval of how far the second sample is shifted against the first (Hodges and Lehmann).

    It asks for nothing but that both have the same shape. The interval's ends are differences that were seen,
    chosen by the normal approximation of the rank sum. None when the samples are so small that not even the
    widest interval holds 95%: 3 and 3, for example; 4 and 4 are enough.
    """
    n, m = len(before), len(after)
    if not n or not m:
        return None
    rank = math.floor(n * m / 2 - Z_95 * math.sqrt(n * m * (n + m + 1) / 12))
    if rank < 1:
        return None
    step = math.ceil(math.sqrt(n * m / PAIRS_MAX))
    if step > 1:
        return shift(sorted(before)[::step], sorted(after)[::step])
    differences = sorted(b - a for a in before for b in after)
    return differences[rank - 1], differences[-rank]


def rates(before: float, of_before: Span, after: float, of_after: Span) -> Span:
    """Return the 95% interval of the difference of two rates from the interval of each (Newcombe's)."""
    change = after - before
    low = change - math.hypot(before - of_before[1], after - of_after[0])
    high = change + math.hypot(of_before[0] - before, of_after[1] - after)
    return max(-1.0, low), min(1.0, high)
