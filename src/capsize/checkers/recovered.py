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
    on one of the same overtakes it; for everything else it is the time from the blow until the availability
    probe was answered well ``in_row`` times in a row. A dip counts as the strike's own when it begins up to
    ``onset_s`` after the strike landed, or was healed if it was held.
    """
    struck = [strike for strike in on(history, [service]) if strike.landed is not None]
    is_worker = any(service_of(history, worker) == service for worker in workers(history))
    found: list[Recovery] = []
    for number, strike in enumerate(struck):
        after = struck[number + 1] if number + 1 < len(struck) else None
        since = strike.healing if strike.held and strike.healing is not None else strike.begin
        if is_worker:
            seen, until = _instances(history, strike), fleet(history).end_s
            # A worker that is asked to stop may take its time: what counts is from when it was away.
            since = max(since, seen.down or since)
            after = next(
                (one for one in struck[number + 1 :] if set(one.victims) & set(strike.victims)), None
            )
        else:
            looks = ready(history)
            dips_until = max(since, strike.landed or since) + onset_s
            if after is not None:
                dips_until = min(dips_until, after.begin)
            seen = back_after(looks, strike.begin, dips_until, in_row)
            until = looks[-1].t if looks else since
        late = after is not None and (seen.back is None or seen.back > after.begin)
        found.append(
            Recovery(
                strike=strike, since=since, down=seen.down, back=seen.back, seen_until=until, superseded=late
            )
        )
    return tuple(found)


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
