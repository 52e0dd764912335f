"""Strikes on a service that everything else depends on, as the API and the database scenario share them."""

from __future__ import annotations

from collections.abc import Callable

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import stream
from capsize.scenarios.building import PROBES, phases, settings, spec

STRIKES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8}
"""How many strikes each level makes; each is followed by one interval of the level to recover in."""
FIRST_S = (0.5, 1.5)
API_RATE = 20.0
TASK_S = 0.5
DONE_WITHIN_S = 90.0
"""How long after the chaos the last task may still be finished."""


def times(level: Level, seed: int, scenario: str, interval: Callable[[float], float]) -> list[float]:
    """Return the strike times and, as the last one, the end of the chaos phase.

    ``interval`` may stretch an interval of the level, for strikes that are held longer than it.
    """
    draw = stream(seed, scenario, "times")
    moments = [round(level.scaled(draw.uniform(*FIRST_S)), 3)]
    for _ in range(STRIKES[level.number]):
        moments.append(round(moments[-1] + interval(draw.uniform(*level.interval_s)), 3))
    return moments


def experiment(
    level: Level,
    seed: int,
    moments: list[float],
    *,
    name: str,
    purpose: str,
    strikes: tuple[PlannedStrike, ...],
    claims: tuple[Spec, ...],
    hypothesis: Hypothesis,
    probes: tuple[Spec, ...] = (),
) -> Experiment:
    """Return a scenario of such strikes, whose chaos lasts until the last interval is over.

    ``probes`` look beside the usual ones.
    """
    return Experiment(
        scenario=name,
        purpose=purpose,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(chaos=Phase(name="chaos", limit_s=moments[-1])),
        loads=loads(level, moments),
        strikes=strikes,
        probes=(*PROBES, *probes),
        checkers=(*claims, spec("completion", min=1.0, deadline_s=moments[-1] + DONE_WITHIN_S)),
        hypothesis=hypothesis,
    )


def loads(level: Level, moments: list[float]) -> tuple[LoadPlan, ...]:
    """Return API calls throughout, and the level's number of short tasks spread over the chaos."""
    tasks = spec(
        "tasks",
        count=level.tasks,
        seconds=level.scaled(TASK_S),
        rate=round(level.tasks / moments[-1], 6),
    )
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", "chaos", "recovery", "drain")),
        LoadPlan(load=tasks, phases=("chaos", "recovery", "drain")),
    )
