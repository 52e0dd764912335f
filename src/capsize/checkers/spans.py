"""Stretches of time and what they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""A begin and an end in seconds of the run's clock; both belong to it."""


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans in order, those that touch made into one."""
    whole: list[Span] = []
    for begin, end in sorted(spans):
        if whole and begin <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((begin, end))
    return tuple(whole)


def touches(spans: Iterable[Span], begin: float, end: float) -> bool:
    """Return whether any of the spans shares a moment with begin..end."""
    return any(low <= end and high >= begin for low, high in spans)


def shared_s(spans: Iterable[Span], begin: float, end: float) -> float:
    """Return how many seconds of begin..end lie within the spans, which must not overlap each other."""
    return sum(max(0.0, min(high, end) - max(low, begin)) for low, high in spans)


def less(spans: Sequence[Span], without: Iterable[Span]) -> tuple[Span, ...]:
    """Return what is left of the spans when others are cut out of them."""
    left = list(spans)
    for low, high in without:
        cut: list[Span] = []
        for begin, end in left:
            if high <= begin or low >= end:
                cut.append((begin, end))
                continue
            if begin < low:
                cut.append((begin, low))
            if high < end:
                cut.append((high, end))
        left = cut
    return tuple(left)
