"""Strikes on workers in the middle of their tasks, as the two worker scenarios share them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import (
    PROBES,
    REDELIVERY_S,
    common_claims,
    phases,
    settings,
    spec,
    strike_times,
)
from capsize.scenarios.feasible import ideal_completion

BUSY_WAIT_S = 10.0
SUBMIT_RATE = 50.0
API_RATE = 10.0
DRAWS = 10_000
# A perfect service, somewhat slow to restart, must complete this much more than the criterion asks.
MARGIN = 0.075
SLOW_RESTART_S = 1.2


@dataclass(frozen=True)
class Blow:
    """What one strike does: the fault, to how many workers (0 for all), and how long it is held."""

    fault: Spec
    count: int = 1
    for_s: float | None = None


Draw = Callable[[random.Random, int], Blow]
"""Draws the blow of the strike with this number, counted from 1."""


def experiment(
    level: Level,
    seed: int,
    *,
    name: str,
    purpose: str,
    blow: Draw,
    hypothesis: Hypothesis,
    claims: tuple[Spec, ...] = (),
) -> Experiment:
    """Return a scenario of such strikes, with the claims that all of them make and those of its own."""
    impossible = level.completion_max < 1.0
    return Experiment(
        scenario=name,
        purpose=purpose,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(
            chaos=Phase(name="chaos", limit_s=level.deadline_s, until="settled"),
            # What can't be done in time is not waited for: what is pending then is kept, and not lost.
            drain_s=1.0 if impossible else max(60.0, level.deadline_s),
        ),
        loads=loads(level),
        strikes=planned(level, seed, name, blow),
        probes=PROBES,
        checkers=(
            *common_claims(level, drained=not impossible),
            spec("flapping"),
            spec("landed", live=True),
            spec("retries", required=True),
            spec("restarted", service="worker"),
            spec("recovery", service="worker"),
            spec(
                "completion",
                min=level.completion_min,
                max=level.completion_max,
                deadline_s=level.deadline_s,
            ),
            *claims,
        ),
        hypothesis=hypothesis,
    )


def loads(level: Level) -> tuple[LoadPlan, ...]:
    """Return all tasks at once at the begin of the chaos, and API calls from the first phase to the last."""
    tasks = spec("tasks", count=level.tasks, seconds=level.task_delay_s, rate=SUBMIT_RATE)
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", "chaos", "recovery", "drain")),
        LoadPlan(load=tasks, phases=("chaos", "recovery", "drain")),
    )


def planned(level: Level, seed: int, scenario: str, blow: Draw) -> tuple[PlannedStrike, ...]:
    """Return strikes on busy workers at the level's intervals, drawn until the plan can be passed."""
    for attempt in range(DRAWS):
        strikes = _drawn(level, stream(seed, scenario, "strikes", attempt), blow)
        reached = ideal_completion(
            level, strikes, restart_s=SLOW_RESTART_S, redelivery_s=REDELIVERY_S * level.time_scale
        )
        if reached >= min(level.completion_min + MARGIN, level.completion_max):
            return strikes
    # The level's own figures, or the overrides given, leave no passable plan: strike anyway, and let it show.
    return strikes


def _drawn(level: Level, draw: random.Random, blow: Draw) -> tuple[PlannedStrike, ...]:
    # While the first tasks are being worked on: at level 1 all work is over before the first interval ends.
    first_s = draw.uniform(0.25, 0.75) * level.task_delay_s
    times = strike_times(draw, level, first_s=first_s, until_s=level.deadline_s)
    strikes = []
    for number, at_s in enumerate(times, start=1):
        what = blow(draw, number)
        target = Target(
            service="worker", pick=fraction(draw), count=what.count, busy=True, wait_s=BUSY_WAIT_S
        )
        strikes.append(
            PlannedStrike(id=f"s{number}", at_s=at_s, fault=what.fault, target=target, for_s=what.for_s)
        )
    return tuple(strikes)
