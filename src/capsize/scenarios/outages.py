"""Strikes on a service that everything else depends on, as the API and the database scenario share them."""

from __future__ import annotations

from collections.abc import Callable

from capsize.core.experiment import LoadPlan, Phase
from capsize.core.levels import Level
from capsize.core.seed import stream
from capsize.scenarios.building import spec

STRIKES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8}
"""How many strikes each level makes; each is followed by one interval of the level to recover in."""
FIRST_S = (0.5, 1.5)
API_RATE = 20.0
TASK_S = 0.5


def times(level: Level, seed: int, scenario: str, interval: Callable[[float], float]) -> list[float]:
    """Return the strike times and, as the last one, the end of the chaos phase.

    ``interval`` may stretch an interval of the level, for strikes that are held longer than it.
    """
    draw = stream(seed, scenario, "times")
    moments = [round(level.scaled(draw.uniform(*FIRST_S)), 3)]
    for _ in range(STRIKES[level.number]):
        moments.append(round(moments[-1] + interval(draw.uniform(*level.interval_s)), 3))
    return moments


def chaos(moments: list[float]) -> Phase:
    """Return the chaos phase that lasts until the last interval is over."""
    return Phase(name="chaos", limit_s=moments[-1])


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
