"""Strikes on connections: whose they were, and when nothing could pass."""

from __future__ import annotations

from capsize.checkers.derived import derived
from capsize.checkers.fleet import fleet, workers
from capsize.checkers.spans import Span, merged
from capsize.checkers.strikes import DATABASES, Strike, service_of, strikes
from capsize.core.history import History

CUTTING = frozenset({"partition"})
"""Faults under which nothing gets an answer: each way that a connection can be cut takes the answers away."""


def ends(link: str) -> tuple[str, str]:
    """Return who connects and to whom, both by instance."""
    source, _, target = link.partition(">")
    return source, target


def to_database(history: History, strike: Strike) -> frozenset[str]:
    """Return the instances whose connections to the database a strike was put on."""
    pairs = (ends(link) for link in strike.links)
    return frozenset(source for source, target in pairs if service_of(history, target) in DATABASES)


@derived
def on_workers(history: History) -> tuple[Strike, ...]:
    """Return the strikes that landed on connections of workers to the database."""
    hands = workers(history)
    return tuple(s for s in strikes(history) if s.landed is not None and to_database(history, s) & hands)


@derived
def on_api(history: History) -> tuple[Strike, ...]:
    """Return the strikes that landed on connections to the database of whatever is no worker."""
    hands = workers(history)
    return tuple(s for s in strikes(history) if s.landed is not None and to_database(history, s) - hands)


@derived
def api_cut_off(history: History) -> tuple[Span, ...]:
    """Return when the API certainly got nothing from the database, since its connections were cut."""
    end_s = fleet(history).end_s
    cuts = [(s.landed or s.begin, s.healing or end_s) for s in on_api(history) if s.fault in CUTTING]
    return merged(cuts)
