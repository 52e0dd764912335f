"""``recovery_max_s > +20%``: how much change is too much."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Literal

import msgspec

from capsize.core.errors import UsageError
from capsize.report.comparing.compare import Change, Comparison

_FORM = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(>=|<=|>|<)\s*([+-]?)(\d+(?:\.\d+)?)\s*(%?)\s*")

Kind = Literal["value", "change", "share"]
State = Literal["kept", "crossed", "unsure", "missing"]


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One limit. ``kind`` is what is compared with it: the new value, its change, or its change as a share."""

    text: str
    figure: str
    operator: Literal[">", ">=", "<", "<="]
    limit: float
    kind: Kind


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a threshold in one scenario.

    ``unsure``: beyond the limit, but only sure crossings count and this one is not. ``missing``: a side does
    not have the figure.
    """

    threshold: str
    scenario: str
    level: int
    state: State
    message: str


def parse_threshold(text: str) -> Threshold:
    """Return what a text asks for: ``figure > 5`` a value, ``figure > +2`` a change, ``figure > +20%`` a share.

    Raises UsageError for anything else.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--fail-if {text!r} is no threshold; write FIGURE > +20% (a change in percent), FIGURE > +2 (a change) "
            "or FIGURE > 5 (a value), also with <"
        )
    figure, operator, sign, digits, percent = found.groups()
    if percent and not sign:
        raise UsageError(
            f"--fail-if {text!r}: a change in percent needs its sign, as in +{digits}% or -{digits}%"
        )
    limit = float(f"{sign}{digits}") / (100 if percent else 1)
    kind: Kind = "share" if percent else "change" if sign else "value"
    return Threshold(
        text=" ".join(text.split()),
        figure=figure,
        operator=msgspec.convert(operator, Literal[">", ">=", "<", "<="]),
        limit=limit,
        kind=kind,
    )


def judge_thresholds(
    comparison: Comparison, thresholds: tuple[Threshold, ...], *, only_sure: bool = False
) -> tuple[Outcome, ...]:
    """Judge every threshold in every scenario that both sides ran.

    With ``only_sure`` a crossing counts when the whole 95% interval of the change lies beyond the limit.
    Raises UsageError for a figure that no run has.
    """
    known = {change.figure for one in comparison.compared for change in one.changes}
    for threshold in thresholds:
        if comparison.compared and threshold.figure not in known:
            near = get_close_matches(threshold.figure, known, n=3, cutoff=0.4)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise UsageError(f"--fail-if {threshold.text!r}: no run has the figure {threshold.figure}{hint}")
    return tuple(
        _outcome(threshold, one.scenario, one.level, change, only_sure)
        for threshold in thresholds
        for one in comparison.compared
        for change in one.changes
        if change.figure == threshold.figure
    )


def _outcome(threshold: Threshold, scenario: str, level: int, change: Change, only_sure: bool) -> Outcome:
    state, message = _state(threshold, change, only_sure)
    return Outcome(threshold=threshold.text, scenario=scenario, level=level, state=state, message=message)


def _state(threshold: Threshold, change: Change, only_sure: bool) -> tuple[State, str]:
    value = {"value": change.after, "change": change.change, "share": change.relative}[threshold.kind]
    if value is None or change.before is None:
        return "missing", f"{threshold.figure} was not measured on both sides"
    told = _told(threshold.kind, value)
    if not _beyond(threshold, value):
        return "kept", f"{threshold.figure}: {told}"
    if only_sure and threshold.kind != "value":
        ends = [_scaled(threshold, change, end) for end in (change.low, change.high)]
        if any(end is None or not _beyond(threshold, end) for end in ends):
            why = "too few values for an interval" if change.low is None else "its 95% interval reaches back"
            return "unsure", f"{threshold.figure}: {told}, but not surely: {why}"
    return "crossed", f"{threshold.figure}: {told}"


def _scaled(threshold: Threshold, change: Change, end: float | None) -> float | None:
    """Return an end of the interval in the threshold's own measure."""
    if end is None or threshold.kind == "change":
        return end
    return end / abs(change.before) if change.before else None


def _beyond(threshold: Threshold, value: float) -> bool:
    match threshold.operator:
        case ">":
            return value > threshold.limit
        case ">=":
            return value >= threshold.limit
        case "<":
            return value < threshold.limit
        case "<=":
            return value <= threshold.limit


def _told(kind: Kind, value: float) -> str:
    if kind == "share":
        return f"{value:+.1%}" if abs(value) != float("inf") else "from nothing"
    return f"{value:+.6g}" if kind == "change" else f"{value:.6g}"
