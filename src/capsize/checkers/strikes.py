"""The strikes of a run, each folded from its stages."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.checkers.derived import derived
from capsize.checkers.spans import Span
from capsize.core.events import InstanceChanged, Struck
from capsize.core.history import History

FREEZING = frozenset({"pause"})
"""Faults whose victims stand still and keep everything they hold."""
AMBIGUOUS = frozenset({"lost_reply", "kill_point"})
"""Faults that come after a statement was carried out: they harm nobody's work, and excuse no second doing of it.

The process that a kill point ends is dead, and its death counts for itself.
"""
DATABASES = frozenset({"postgres", "postgresql", "database", "db", "redis", "rabbitmq", "broker"})
"""Names of services that keep the tasks, a database or a broker, on which all workers depend."""
HELD_S = 0.1
"""A fault that is healed sooner than this after it landed was not held: it was over when it was done."""


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One strike: its victims, and when each of its stages was reached (None: never).

    One on connections has ``links``, the ``mechanism`` by which they were disturbed, and its ``hits`` on them.
    """

    id: str
    fault: str
    victims: tuple[str, ...]
    begin: float
    stages: dict[str, float]
    details: dict[str, str]
    links: tuple[str, ...] = ()
    mechanism: str = ""
    hits: int | None = None

    @property
    def landed(self) -> float | None:
        """Return when its effect was seen."""
        return self.stages.get("landed")

    @property
    def begun(self) -> bool:
        """Return whether anything was done to the victims, or may have been."""
        return "begin" in self.stages

    @property
    def healing(self) -> float | None:
        """Return when its healing began."""
        return self.stages.get("healing")

    @property
    def held(self) -> bool:
        """Return whether it was kept up for a while before it was healed."""
        return self.landed is not None and self.healing is not None and self.healing - self.landed > HELD_S

    def span(self, end_s: float) -> Span:
        """Return from when to when its victims were, or may have been, in its hands."""
        return self.begin, self.stages.get("healed", self.stages.get("heal_failed", end_s))


@derived
def strikes(history: History) -> tuple[Strike, ...]:
    """Return the strikes in the order in which they began."""
    by_id: dict[str, list[Struck]] = {}
    for event in history.of(Struck):
        by_id.setdefault(event.strike, []).append(event)
    return tuple(_fold(stages) for stages in by_id.values())


def _fold(stages: list[Struck]) -> Strike:
    times: dict[str, float] = {}
    for event in stages:
        times.setdefault(event.stage, event.t)
    return Strike(
        id=stages[0].strike,
        fault=stages[0].fault,
        victims=max((event.victims for event in stages), key=len),
        begin=stages[0].t,
        stages=times,
        details={event.stage: event.detail for event in stages},
        links=max((event.links for event in stages), key=len),
        mechanism=next((event.mechanism for event in stages if event.mechanism), ""),
        hits=max((event.hits for event in stages if event.hits is not None), default=None),
    )


@derived
def services(history: History) -> dict[str, str]:
    """Return the service of every instance that the platform spoke of."""
    return {event.instance: event.service for event in history.of(InstanceChanged)}


def service_of(history: History, instance: str) -> str:
    """Return an instance's service; one that was never spoken of is named after it: ``worker-2``."""
    known = services(history).get(instance)
    if known is not None:
        return known
    stem, _, number = instance.rpartition("-")
    return stem if stem and number.isdigit() else instance


def on(history: History, chosen: Iterable[str]) -> tuple[Strike, ...]:
    """Return the strikes that were begun on an instance of one of the services."""
    names = frozenset(chosen)
    return tuple(
        strike
        for strike in strikes(history)
        if strike.begun and any(service_of(history, victim) in names for victim in strike.victims)
    )
