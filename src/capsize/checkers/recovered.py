"""How long the service took to be back after each strike."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.checkers.answers import Return, back_after, ready
from capsize.checkers.fleet import fleet, workers
from capsize.checkers.strikes import Strike, on, service_of
from capsize.core.history import History


@dataclass(frozen=True, slots=True)
class Recovery:
    """One strike's aftermath, in seconds of the run's clock.

    ``since`` is where the criterion counts from: the blow, or the healing of a strike that was held. ``back``
    is None when nobody saw the service come back; ``seen_until`` is how long somebody looked. ``superseded``
    means that the next strike came before it could be back.
    """

    strike: Strike
    since: float
    down: float | None
    back: float | None
    seen_until: float
    superseded: bool = False

    @property
    def took_s(self) -> float | None:
        """Return the recovery time; 0 when it was back before a held strike was healed."""
        return None if self.back is None else max(0.0, self.back - self.since)


def recoveries(history: History, service: str, in_row: int, onset_s: float) -> tuple[Recovery, ...]:
    """Return the aftermath of each strike that landed on a service.

    For workers it is the time from the first victim's death until every one was ready again, and only a strike
    on one of the same overtakes it; a strike that only froze them has no such time and is left out. For
    everything else it is the time from the blow until the availability probe was answered well ``in_row``
    times in a row. A dip counts as the strike's own when it begins up to ``onset_s`` after the strike landed,
    or was healed if it was held.
    """
    struck = [strike for strike in on(history, [service]) if strike.landed is not None]
    if any(service_of(history, worker) == service for worker in workers(history)):
        found = [_of_workers(history, strike, struck[n + 1 :]) for n, strike in enumerate(struck)]
        return tuple(one for one in found if one is not None)
    dips = [_of_answers(history, s, struck[n + 1 :], in_row, onset_s) for n, s in enumerate(struck)]
    return tuple(dips)


def _of_workers(history: History, strike: Strike, later: list[Strike]) -> Recovery | None:
    seen = _instances(history, strike)
    if seen.down is None:
        # Frozen and let go: it was never away, so there is nothing to come back from.
        return None
    same = [one for one in later if set(one.victims) & set(strike.victims)]
    # A worker that is asked to stop may take its time: what counts is from when it was away.
    since = max(_since(strike), seen.down)
    return _recovery(strike, since, seen, fleet(history).end_s, same)


def _of_answers(
    history: History, strike: Strike, later: list[Strike], in_row: int, onset_s: float
) -> Recovery:
    looks, since = ready(history), _since(strike)
    dips_until = max(since, strike.landed or since) + onset_s
    if later:
        dips_until = min(dips_until, later[0].begin)
    seen = back_after(looks, strike.begin, dips_until, in_row)
    return _recovery(strike, since, seen, looks[-1].t if looks else since, later)


def _since(strike: Strike) -> float:
    return strike.healing if strike.held and strike.healing is not None else strike.begin


def _recovery(strike: Strike, since: float, seen: Return, until: float, later: list[Strike]) -> Recovery:
    late = bool(later) and (seen.back is None or seen.back > later[0].begin)
    return Recovery(
        strike=strike, since=since, down=seen.down, back=seen.back, seen_until=until, superseded=late
    )


def _instances(history: History, strike: Strike) -> Return:
    """Return when all victims had a ready process again; one that never went away was back at once."""
    instances = fleet(history)
    down: list[float] = []
    back: list[float | None] = []
    for victim in strike.victims:
        line = instances.incarnations.get(victim, [])
        until = strike.stages.get("healed", strike.landed or strike.begin)
        hit = [n for n, one in enumerate(line) if one.gone is not None and strike.begin <= one.gone <= until]
        if not hit:
            frozen_until = strike.healing if strike.held else strike.landed
            back.append(frozen_until)
            continue
        gone = line[hit[0]].died
        down.append(strike.begin if gone is None else gone)
        back.append(next((one.ready for one in line[hit[0] + 1 :] if one.ready is not None), None))
    known = [t for t in back if t is not None]
    return Return(
        down=min(down, default=None), back=max(known) if known and len(known) == len(back) else None
    )
