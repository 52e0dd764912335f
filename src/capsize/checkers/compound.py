"""Strikes that overlapped: what a service must get over together."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.checkers.derived import derived
from capsize.checkers.fleet import fleet
from capsize.checkers.strikes import Strike, strikes
from capsize.core.history import History


@dataclass(frozen=True, slots=True)
class Volley:
    """Strikes whose effects overlapped, one with the next. ``over`` is when the last of them was taken back.

    For a strike that was held that is the begin of its healing, for any other the blow itself: bringing back
    what it broke is then up to the service. ``at_once`` is the greatest number of them in effect together.
    """

    strikes: tuple[Strike, ...]
    begin: float
    over: float
    at_once: int


@derived
def volleys(history: History) -> tuple[Volley, ...]:
    """Return the volleys, in order. A strike is in effect until it was healed."""
    end_s = fleet(history).end_s
    landed = sorted((one for one in strikes(history) if one.landed is not None), key=lambda one: one.begin)
    groups: list[list[Strike]] = []
    until = float("-inf")
    for one in landed:
        begin, end = one.span(end_s)
        if begin > until:
            groups.append([])
        groups[-1].append(one)
        until = max(until, end)
    return tuple(_volley(group, end_s) for group in groups)


def _volley(group: list[Strike], end_s: float) -> Volley:
    spans = [one.span(end_s) for one in group]
    return Volley(
        strikes=tuple(group),
        begin=group[0].begin,
        over=max(_over(one) for one in group),
        at_once=max(sum(low <= begin <= high for low, high in spans) for begin, _ in spans),
    )


def _over(one: Strike) -> float:
    return one.healing if one.held and one.healing is not None else one.begin
