"""The steps in which a service was scaled, and who left and joined in each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from capsize.checkers.fleet import Fleet, fleet, horizon
from capsize.checkers.lives import Run, lives
from capsize.checkers.strikes import services, strikes
from capsize.core.history import History


class Resize(msgspec.Struct, frozen=True, kw_only=True):
    """One step, begun at ``begin``: the size before and the size asked for, and when it was ``reached``.

    ``removed`` and ``added`` are instances. ``found`` is the size at ``seen_until``, the last moment at which
    it counted: the next step, or the end of the last phase.
    """

    strike: str
    begin: float
    before: int
    to: int
    reached: float | None
    found: int
    seen_until: float
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def up(self) -> bool:
        """Return whether instances were to be added."""
        return self.to > self.before

    def inside(self, history: History) -> list[Run]:
        """Return the runs that the removed workers were inside of when the step began."""
        by_worker = lives(history).by_worker
        return [run for name in self.removed for run in by_worker.get(name, ()) if run.inside(self.begin)]


def resizes(history: History, service: str, steps: Mapping[str, int]) -> list[Resize]:
    """Return the steps that were begun, in order; ``steps`` maps a strike's id to the size it asked for."""
    begun = [one for one in strikes(history) if one.id in steps and one.begun]
    ends = [*(one.begin for one in begun[1:]), horizon(history)][: len(begun)]
    return [
        _resize(history, service, strike.id, strike.begin, steps[strike.id], until)
        for strike, until in zip(begun, ends, strict=True)
    ]


def _resize(history: History, service: str, strike: str, begin: float, to: int, until: float) -> Resize:
    instances = fleet(history)
    names = sorted(name for name, kind in services(history).items() if kind == service)
    there = [name for name in names if _wanted(instances, name, begin)]
    moments = sorted(t for name in names for t in _changes(instances, name) if begin < t <= until)
    reached = next((t for t in [begin, *moments] if _size(instances, names, t, to < len(there)) == to), None)
    return Resize(
        strike=strike,
        begin=begin,
        before=len(there),
        to=to,
        reached=reached,
        found=_size(instances, names, until, to < len(there)),
        seen_until=until,
        removed=tuple(name for name in there if _left(instances, name, begin, until)),
        added=tuple(name for name in names if name not in there and _joined(instances, name, begin, until)),
    )


def _wanted(instances: Fleet, name: str, t: float) -> bool:
    """Return whether an instance should exist: begun, and not stopped on purpose. A dead one comes back."""
    line = [one for one in instances.incarnations.get(name, ()) if one.born <= t]
    return bool(line) and not (line[-1].on_purpose and line[-1].gone is not None and line[-1].gone <= t)


def _size(instances: Fleet, names: list[str], t: float, down: bool) -> int:
    """Return how many count: on the way up those that are ready, on the way down all that are left."""
    if down:
        return sum(_wanted(instances, name, t) for name in names)
    return sum(_ready(instances, name, t) for name in names)


def _ready(instances: Fleet, name: str, t: float) -> bool:
    line = instances.incarnations.get(name, ())
    return any(
        one.ready is not None and one.ready <= t and (one.gone is None or t < one.gone) for one in line
    )


def _changes(instances: Fleet, name: str) -> list[float]:
    line = instances.incarnations.get(name, [])
    return [t for one in line for t in (one.born, one.ready, one.gone) if t is not None]


def _left(instances: Fleet, name: str, begin: float, until: float) -> bool:
    line = instances.incarnations.get(name, ())
    return any(one.on_purpose and one.gone is not None and begin <= one.gone <= until for one in line)


def _joined(instances: Fleet, name: str, begin: float, until: float) -> bool:
    return any(begin <= one.born <= until for one in instances.incarnations.get(name, ()))
