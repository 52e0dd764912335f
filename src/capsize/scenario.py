"""What a scenario of one's own is written with; ``docs/custom-scenarios.md`` shows one.

A scenario is a function from a level and a seed to an experiment, which is plain data. :func:`experiment` fills
in what nearly all have in common; whoever needs more builds the :class:`Experiment` by hand. Draw everything
random from :func:`stream`, so that the same seed makes the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from capsize.core.experiment import Experiment, Link, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import (
    PROBES,
    Scenario,
    common_claims,
    lease_s,
    phases,
    settings,
    strike_times,
)

THROUGHOUT = ("steady", "chaos", "recovery", "drain")


def tasks(count: int, *, seconds: float, rate: float = 50.0, **more: Any) -> LoadPlan:
    """Return a load of ``count`` tasks of ``seconds`` each, submitted at ``rate`` a second from the chaos on."""
    args = {"count": count, "seconds": seconds, "rate": rate, **more}
    return LoadPlan(load=Spec(name="tasks", args=args), phases=THROUGHOUT[1:])


def api(*, rate: float = 10.0, **more: Any) -> LoadPlan:
    """Return a load of API calls at ``rate`` a second, from the first phase to the last."""
    return LoadPlan(load=Spec(name="api", args={"rate": rate, **more}), phases=THROUGHOUT)


def strike(
    fault: str,
    service: str,
    *,
    at_s: float,
    for_s: float | None = None,
    pick: float = 0.0,
    count: int = 1,
    busy: bool = False,
    wait_s: float = 10.0,
    **args: Any,
) -> PlannedStrike:
    """Return a strike: which fault on which service, when after the chaos began, and for how long.

    ``for_s`` None is for a fault that needs no undoing (a kill). ``busy`` waits up to ``wait_s`` for an
    instance that is inside a task. ``pick``, from :func:`fraction`, chooses among several instances;
    ``count`` 0 strikes all. What else is given are the fault's own arguments.
    """
    target = Target(service=service, pick=pick, count=count, busy=busy, wait_s=wait_s)
    return PlannedStrike(
        id="", at_s=round(at_s, 3), fault=Spec(name=fault, args=args), target=target, for_s=for_s
    )


def claim(name: str, **args: Any) -> Spec:
    """Return a claim beside those that hold for every scenario."""
    return Spec(name=name, args=args)


def experiment(
    level: Level,
    seed: int,
    *,
    loads: Sequence[LoadPlan],
    strikes: Sequence[PlannedStrike] = (),
    claims: Sequence[Spec] = (),
    chaos_s: float | None = None,
    replicas: dict[str, int] | None = None,
    hypothesis: Hypothesis | None = None,
    extra_settings: dict[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Experiment:
    """Return an experiment with the usual phases, probes and claims, and those given.

    The chaos lasts ``chaos_s``; None: until all tasks are done, at most the level's deadline. Strikes are
    numbered in the order given. Without ``replicas`` there are one API and the level's workers. ``links`` are the
    connections that go through a proxy, which faults such as ``partition`` and ``lost_reply`` need.
    """
    chaos = Phase(name="chaos", limit_s=level.deadline_s, until="settled")
    if chaos_s is not None:
        chaos = Phase(name="chaos", limit_s=chaos_s)
    return Experiment(
        scenario="",
        purpose="",
        level=level,
        seed=seed,
        replicas=replicas or {"api": 1, "worker": level.workers},
        settings=settings(level) | (extra_settings or {}),
        phases=phases(chaos=chaos, drain_s=max(60.0, level.deadline_s)),
        loads=tuple(loads),
        strikes=tuple(
            one if one.id else msgspec.structs.replace(one, id=f"s{number}")
            for number, one in enumerate(strikes, start=1)
        ),
        probes=PROBES,
        checkers=(*common_claims(level), *claims),
        hypothesis=hypothesis or Hypothesis(),
        links=tuple(links),
    )


__all__ = [
    "PROBES",
    "Experiment",
    "Hypothesis",
    "Level",
    "Link",
    "LoadPlan",
    "Phase",
    "PlannedStrike",
    "Scenario",
    "Spec",
    "Target",
    "api",
    "claim",
    "common_claims",
    "experiment",
    "fraction",
    "lease_s",
    "phases",
    "settings",
    "stream",
    "strike",
    "strike_times",
    "tasks",
]
