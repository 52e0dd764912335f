"""How figures and events read: one place, so that every report says the same in the same words."""

from __future__ import annotations

import math

from capsize.core.events import Event, InstanceChanged, Noted, PhaseChanged, RunEnded, Struck, Undone
from capsize.core.verdict import ScenarioResult, Verdict

STRIKE_WORDS = {
    "begin": "about to strike",
    "landed": "landed",
    "missed": "missed",
    "failed": "could not be carried out",
    "healing": "healing",
    "healed": "healed",
    "heal_failed": "COULD NOT BE HEALED",
    "not_carried_out": "not carried out",
}
"""What each stage of a strike is called."""

QUIET_STAGES = frozenset({"begin", "healing"})
"""Stages that only the verbose output tells."""


def percent(ratio: float) -> str:
    """Return a ratio as a percentage with one decimal, rounded down: only a whole one reads 100.0%."""
    return f"{math.floor(ratio * 1000 + 1e-9) / 10:.1f}%"


def interval(low: float, high: float) -> str:
    """Return the 95% interval of a rate in words."""
    return f"95% interval {percent(low)} to {percent(high)}"


def seconds(value: float) -> str:
    """Return a duration for a reader: milliseconds below one second, else with a fitting precision."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 retry``, ``3 retries``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def status(result: ScenarioResult) -> str:
    """Return the word for how a scenario came out."""
    if result.invalid:
        return "ERROR"
    if result.skipped:
        return "SKIPPED"
    if result.not_steady:
        return "NOT STEADY"
    # What was proved before stays proved: a failure is called one.
    return "ABORTED" if result.aborted and result.verdict is Verdict.UNKNOWN else result.verdict.name


def describe(event: Event, *, verbose: bool = False) -> str | None:
    """Return one line on an event, without its time; None when it is not for this reader."""
    match event:
        case PhaseChanged():
            return _phase(event, verbose)
        case Struck():
            return None if event.stage in QUIET_STAGES and not verbose else strike(event)
        case Noted():
            return f"{event.level}: {event.message}" if verbose or event.level != "info" else None
        case Undone():
            return undone(event)
        case InstanceChanged():
            return instance(event) if verbose or event.state == "gave_up" else None
        case RunEnded() if event.how != "completed":
            return f"the run ended: {event.how}" + (f" ({event.detail})" if event.detail else "")
        case _:
            return None


def strike(event: Struck) -> str:
    """Return one line on a step in the life of a strike."""
    whom = f" {', '.join(event.victims)}" if event.victims else ""
    detail = f" ({event.detail})" if event.detail else ""
    return f"strike {event.strike}: {event.fault}{whom}: {STRIKE_WORDS[event.stage]}{detail}"


def undone(event: Undone) -> str:
    """Return one line on what the guardian had to undo."""
    whose = f" of strike {event.strike}" if event.strike else ""
    why = "its time to live was over" if event.why == "overdue" else "it was left at the end"
    if event.left:
        return f"LEFT ON THE MACHINE{whose}: {'; '.join(event.left)}"
    return f"the guardian had to {'; '.join(event.steps)}{whose}: {why}"


def instance(event: InstanceChanged) -> str:
    """Return one line on an instance's change of state."""
    state = event.state.replace("_", " ")
    facts = [f"pid {event.pid}"] if event.pid is not None else []
    if event.code is not None:
        facts.append(f"signal {-event.code}" if event.code < 0 else f"code {event.code}")
    if event.detail:
        facts.append(event.detail)
    return f"{event.instance} {state}" + (f" ({', '.join(facts)})" if facts else "")


def _phase(event: PhaseChanged, verbose: bool) -> str | None:
    why = f" ({event.why})" if event.why else ""
    if event.what == "begin":
        return f"phase {event.phase} begins{why}"
    return f"phase {event.phase} ends{why}" if verbose else None
