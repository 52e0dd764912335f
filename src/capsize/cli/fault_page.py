"""The table of faults in ``docs/faults.md``: from the registry, the platforms, and what was measured."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import msgspec

from capsize.cli.fault_fields import fields
from capsize.core.platform import Dependable, Startable
from capsize.faults import FAULTS

NOT_MEASURED = "not measured"
LEAST_S = 0.01

NOTE = """\
Needs: the abilities that a platform must have; `capsize fault list` says whether the stack that is up has them on this
machine. Effect: seconds from the request until the fault's effect was seen; healed: from the request to heal until
it was seen to be undone, with what has to start again. Medians of {injections} injections each into the starter,
by `benchmarks/faults.py` on {machine}, {date}. A fault on connections waits for traffic, and its time is mostly that."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long a fault took, medians in seconds, with which arguments; or why there is no figure."""

    strike_s: float | None = None
    heal_s: float | None = None
    args: dict[str, Any] = msgspec.field(default_factory=dict)
    why_not: str = ""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What ``benchmarks/faults.py`` wrote: where, when, how often, and the figures of each fault."""

    machine: str
    date: str
    injections: int
    faults: dict[str, Times]


def measured() -> Measured:
    """Return the figures that came with this capsize."""
    return msgspec.json.decode(files("capsize.faults").joinpath("times.json").read_bytes(), type=Measured)


def table() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows, one for each registered fault."""
    times = measured().faults
    header = ("Fault", "What it does", "Arguments", "Needs", "Platforms", "How it heals", "Effect", "Healed")
    return header, [_row(name, times.get(name, Times())) for name in FAULTS]


def note() -> str:
    """Return what the columns mean and where the figures are from, and which are missing."""
    found = measured()
    lines = [NOTE.format(injections=found.injections, machine=found.machine, date=found.date)]
    missing = [(name, why) for name in FAULTS if (why := _why_not(found.faults.get(name)))]
    if missing:
        lines += ["", "Not measured:", "", *(f"- `{name}`: {why}" for name, why in missing)]
    return "\n".join(lines)


def _why_not(times: Times | None) -> str:
    if times is None:
        return "it came after the measurement"
    return times.why_not if times.strike_s is None else ""


def _row(name: str, times: Times) -> tuple[str, ...]:
    fault = FAULTS[name]
    arguments = ", ".join(f.name if f.required else f"{f.name}={f.default}" for f in fields(name))
    needs = ", ".join(need.__name__ for need in fault.requires)
    return (
        name,
        _sentences(fault.__doc__),
        arguments,
        needs,
        ", ".join(_platforms(name)),
        _sentences(fault.heal.__doc__),
        _seconds(times.strike_s),
        _seconds(times.heal_s),
    )


def _platforms(name: str) -> Iterator[str]:
    """Yield the platforms that have every ability, on a machine that allows it."""
    from capsize.platforms.docker.platform import DockerPlatform
    from capsize.platforms.local import LocalPlatform

    for kind in (LocalPlatform, DockerPlatform):
        # The outside service is capsize's own; it takes part where the system's instances can be reached by it.
        needs = [Startable if need is Dependable else need for need in FAULTS[name].requires]
        wanted = [method for need in needs for method in _methods(need)]
        if all(callable(getattr(kind, method, None)) for method in wanted):
            yield kind.name


def _methods(ability: type) -> list[str]:
    return [
        name for name, member in inspect.getmembers(ability, inspect.isfunction) if not name.startswith("_")
    ]


def _sentences(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _seconds(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    return f"{value:.2f} s" if value >= LEAST_S else f"< {LEAST_S} s"
