"""The strikes: what was planned, what landed on whom, and how soon the service was back."""

from __future__ import annotations

from typing import Any

import msgspec

from capsize.checkers.landed import met_work
from capsize.checkers.recovered import Recovery, recoveries
from capsize.checkers.strikes import Strike, service_of, strikes
from capsize.core.experiment import Experiment, PlannedStrike, Spec
from capsize.core.history import History
from capsize.report.charts.lanes import RESIZING

GOOD_IN_ROW = 5
ONSET_S = 2.0
"""How recoveries are timed where no claim of the experiment says otherwise; the defaults of that claim."""


class StrikeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One strike, planned and carried out. Times are seconds of the run; None: not planned, or never reached.

    ``outcome`` is its last stage in words of the history (``landed``, ``missed`` ...); ``on_work`` says whether
    a victim was inside a task. ``begin`` and ``end`` bound the time in which its victims were in its hands. ``links``
    are the connections that it disturbed, if it was on connections.
    """

    id: str
    fault: str
    args: str
    planned_on: str
    planned_at: float | None
    begin: float | None
    landed: float | None
    end: float | None
    victims: tuple[str, ...]
    links: tuple[str, ...]
    outcome: str
    detail: str
    on_work: bool | None


class RecoveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """How the service came back after one strike; ``took_s`` None: nobody saw it come back."""

    strike: str
    fault: str
    victims: tuple[str, ...]
    since: float
    down: float | None
    back: float | None
    took_s: float | None
    overtaken: bool


def strike_rows(experiment: Experiment | None, history: History) -> tuple[StrikeRow, ...]:
    """Return the planned strikes in order with what became of them, then any that nobody planned."""
    done = {strike.id: strike for strike in strikes(history)}
    chaos = history.phase("chaos")
    planned = experiment.strikes if experiment else ()
    rows = [_row(history, plan, done.pop(plan.id, None), chaos[0] if chaos else None) for plan in planned]
    rows += [_row(history, None, strike, None) for strike in done.values()]
    return tuple(rows)


def recovery_rows(experiment: Experiment | None, history: History) -> tuple[RecoveryRow, ...]:
    """Return the aftermath of each strike that landed, timed as the experiment's own claims time it."""
    rows: list[Recovery] = []
    for service, args in _timed(experiment, history).items():
        row = args.get("good_in_row", GOOD_IN_ROW), args.get("onset_s", ONSET_S)
        rows += [one for one in recoveries(history, service, *row) if one.strike.fault not in RESIZING]
    return tuple(_recovery(one) for one in sorted(rows, key=lambda one: one.since))


def _timed(experiment: Experiment | None, history: History) -> dict[str, dict[str, Any]]:
    """Return the services whose recovery is timed, with the arguments of the claim that does."""
    specs: tuple[Spec, ...] = experiment.checkers if experiment else ()
    claimed = {spec.args["service"]: spec.args for spec in specs if "service" in spec.args}
    harmful = [strike for strike in strikes(history) if strike.fault not in RESIZING]
    struck = {service_of(history, victim) for strike in harmful for victim in strike.victims}
    recovery = {spec.args.get("service"): spec.args for spec in specs if spec.name == "recovery"}
    return {service: recovery.get(service, claimed.get(service, {})) for service in sorted(struck)}


def _row(
    history: History, plan: PlannedStrike | None, strike: Strike | None, chaos: float | None
) -> StrikeRow:
    begun = strike is not None and strike.begun
    return StrikeRow(
        id=plan.id if plan else strike.id if strike else "",
        fault=plan.fault.name if plan else strike.fault if strike else "",
        args=", ".join(f"{name} {value}" for name, value in plan.fault.args.items()) if plan else "",
        planned_on=_target(plan) if plan else "",
        planned_at=round(chaos + plan.at_s, 3) if plan and chaos is not None else None,
        begin=round(strike.begin, 3) if strike and begun else None,
        landed=strike.landed if strike else None,
        end=round(strike.span(history.end_s)[1], 3) if strike and begun else None,
        victims=strike.victims if strike else (),
        links=strike.links if strike else (),
        outcome=_outcome(strike),
        detail="; ".join(_details(strike)) if strike else "",
        on_work=met_work(history, strike) if strike and strike.landed is not None else None,
    )


def _details(strike: Strike) -> list[str]:
    """Return what was said of a strike, each once, and by what means its connections were disturbed how often."""
    said = list(dict.fromkeys(text for text in strike.details.values() if text))
    if strike.mechanism:
        said.append(f"by {strike.mechanism}" + ("" if strike.hits is None else f", {strike.hits} hits"))
    return said


def _target(plan: PlannedStrike) -> str:
    target = plan.target
    number = "all" if target.count == 0 else str(target.count)
    held = f", held {plan.for_s:g} s" if plan.for_s else ""
    return f"{number} of {target.service}{', inside a task' if target.busy else ''}{held}"


def _outcome(strike: Strike | None) -> str:
    """Return the stage that tells most: what failed comes before what landed."""
    if strike is None:
        return "not_reached"
    order = ("heal_failed", "failed", "missed", "not_carried_out", "landed", "begin")
    return next((stage for stage in order if stage in strike.stages), "begin")


def _recovery(one: Recovery) -> RecoveryRow:
    return RecoveryRow(
        strike=one.strike.id,
        fault=one.strike.fault,
        victims=one.strike.victims,
        since=round(one.since, 3),
        down=None if one.down is None else round(one.down, 3),
        back=None if one.back is None else round(one.back, 3),
        took_s=None if one.took_s is None else round(one.took_s, 4),
        overtaken=one.superseded,
    )
