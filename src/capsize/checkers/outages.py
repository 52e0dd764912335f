"""When the database was away, by an independent look and by the strikes on it."""

from __future__ import annotations

from itertools import groupby

from capsize.checkers.answers import ready
from capsize.checkers.derived import derived
from capsize.checkers.fleet import database_trouble, fleet
from capsize.checkers.links import on_api
from capsize.checkers.spans import Span, merged
from capsize.checkers.strikes import DATABASES, on
from capsize.core.events import Sample
from capsize.core.history import History

GOOD_IN_ROW = 5


@derived
def looks(history: History) -> tuple[Sample, ...]:
    """Return the independent looks at the database, in the order in which they began."""
    found = (s for s in history.of(Sample) if s.probe == "database" and isinstance(s.values.get("up"), bool))
    return tuple(sorted(found, key=lambda sample: sample.began))


@derived
def down(history: History) -> tuple[Span, ...]:
    """Return when the database was certainly down: bad looks in a row, while it was struck or its process gone.

    Without any such fault a bad look tells of a slow machine, and is no better than the service's answer.
    """
    trouble = database_trouble(history)
    return tuple(
        (max(low, begin), min(high, end))
        for low, high in _stretches(looks(history), up=False)
        for begin, end in trouble
        if max(low, begin) < min(high, end)
    )


@derived
def up(history: History) -> tuple[Span, ...]:
    """Return when the database certainly answered: from the first to the last of some good looks in a row."""
    return _stretches(looks(history), up=True)


def _stretches(samples: tuple[Sample, ...], *, up: bool) -> tuple[Span, ...]:
    """Return the spans of at least two such looks in a row: from the end of the first to the last's begin."""
    spans: list[Span] = []
    for state, group in groupby(samples, key=lambda sample: sample.values["up"]):
        row = list(group)
        if state is up and row[0].t < row[-1].began:
            spans.append((row[0].t, row[-1].began))
    return tuple(spans)


def outages(history: History, longest_s: float) -> tuple[Span, ...]:
    """Return when the database was away for the API, or the API was still finding it again.

    Each begins with a strike on the database or on the API's connections to it, or with its first bad look, and ends when the readiness answers are
    good several times in a row, at most ``longest_s`` after the database was back.
    """
    blows = [*(s for s in on(history, DATABASES) if s.landed is not None), *on_api(history)]
    struck = [(s.begin, s.healing or s.begin) for s in blows]
    end_s = fleet(history).end_s
    return merged(
        (begin, min(_good_again(history, end), end + longest_s, end_s))
        for begin, end in merged([*struck, *down(history)])
    )


def _good_again(history: History, since: float) -> float:
    """Return when the answers were good in a row for looks sent after a moment."""
    good: list[float] = []
    for op in ready(history):
        if op.sent < since:
            continue
        good = [*good, op.t] if op.outcome == "ok" else []
        if len(good) >= GOOD_IN_ROW:
            return good[0]
    return float("inf")
