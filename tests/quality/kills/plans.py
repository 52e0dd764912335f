"""Experiments to be killed in: every fault that this machine allows, each in its turn."""

from __future__ import annotations

import random
import tempfile
import typing
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError
from capsize.core.experiment import Experiment, Link, Phase
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import level
from capsize.core.platform import Dependable, Killable, Proxied, Queryable
from capsize.faults import FAULTS
from capsize.load.dependency import Dependency
from capsize.platforms.local import LocalPlatform
from capsize.runner.parts import Parts
from capsize.scenario import api, experiment, strike, tasks
from capsize.systems import Starter

VALUES: dict[str, Any] = {
    "mode": "hang",
    "offset_s": 3600.0,
    "to": 3,
    "statement": "(?i)select|insert|update",
    "table": "tasks",
    "sqlstate": "57P01",
}
"""Values for fields that have no default, by the field's name; a name that is not here gets one by its type."""
BY_TYPE: dict[Any, Any] = {int: 1, float: 1.0, str: "x", bool: True}
LINKS = (Link(source="worker", target="postgres"), Link(source="api", target="postgres"))
HELD_S = 30.0
"""Longer than any run is let live: whoever heals is the guardian."""


def possible(rng: random.Random) -> tuple[dict[str, Experiment], dict[str, str]]:
    """Return an experiment for every fault that can be had here, and why the others can't."""
    plans: dict[str, Experiment] = {}
    refused: dict[str, str] = {}
    for name in FAULTS:
        try:
            plans[name] = plan(name, rng)
            _require(plans[name])
        except CapsizeError as error:
            plans.pop(name, None)
            refused[name] = str(error)
    return plans, refused


def plan(fault: str, rng: random.Random) -> Experiment:
    """Return an experiment that strikes with a fault at once and holds it, with a freeze beside it."""
    kind = FAULTS[fault]
    args = {
        field.name: VALUES.get(field.name, _value(field.type))
        for field in msgspec.structs.fields(kind)  # type: ignore[arg-type]
        if field.required
    }
    strikes = [strike(fault, _service(kind.requires, rng), at_s=0.05, for_s=HELD_S, **args)]
    if fault != "pause":
        strikes.append(strike("pause", rng.choice(("api", "worker")), at_s=0.4, for_s=HELD_S, pick=0.9))
    whole = experiment(
        level(1, task_delay_s=1.0),
        rng.randrange(2**31),
        loads=[tasks(20, seconds=1.0), api()],
        strikes=strikes,
        # A machine that is too busy to measure on will do for being killed on.
        hypothesis=Hypothesis(looks=2, ready_min=0.5, api_p99_max_s=None, backlog_growth_max=None),
    )
    chaos = (
        Phase(name="steady", limit_s=60.0, until="steady"),
        Phase(name="chaos", limit_s=HELD_S),
        Phase(name="drain", limit_s=1.0),
    )
    return msgspec.structs.replace(whole, scenario=f"killed-{fault}", phases=chaos, links=LINKS)


def _service(requires: tuple[type, ...], rng: random.Random) -> str:
    if Dependable in requires:
        return "dependency"
    if Queryable in requires:
        return "postgres"
    anybody = Killable in requires and Proxied not in requires
    return rng.choice(("worker", "api", "postgres") if anybody else ("worker", "api"))


def _value(kind: Any) -> Any:
    while typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)[-1]
    return BY_TYPE.get(kind, "x")


def _require(plan: Experiment) -> None:
    def ignore(_: object) -> None:
        return

    clock = MonotonicClock()
    with tempfile.TemporaryDirectory() as folder:
        platform = LocalPlatform(Path(folder), ignore, clock, {}, links=plan.links)
        Parts.of(plan).require(platform, Starter(), Dependency(ignore, clock))
