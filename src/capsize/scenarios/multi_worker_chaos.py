"""multi-worker-chaos: workers are killed in the middle of their tasks, against a deadline."""

from __future__ import annotations

import random

from capsize.core.experiment import Experiment, Phase
from capsize.core.levels import Level
from capsize.scenarios import worker_kills
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec

PURPOSE = "Several workers, killed at random inside their tasks, against a deadline"


def plan(level: Level, seed: int) -> Experiment:
    """Kill one busy worker at each interval of the level until the work is done or the deadline is over."""
    impossible = level.completion_max < 1.0
    return Experiment(
        scenario="multi-worker-chaos",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(
            chaos=Phase(name="chaos", limit_s=level.deadline_s, until="settled"),
            # What can't be done in time is not waited for: what is pending then is kept, and not lost.
            drain_s=1.0 if impossible else max(60.0, level.deadline_s),
        ),
        loads=worker_kills.loads(level),
        strikes=worker_kills.planned(level, seed, "multi-worker-chaos", _kill),
        probes=PROBES,
        checkers=(
            *common_claims(level, drained=not impossible),
            spec("flapping"),
            spec("landed", live=True),
            spec("retries", required=True),
            spec("restarted", service="worker"),
            spec("recovery", service="worker"),
            spec("spread"),
            spec(
                "completion",
                min=level.completion_min,
                max=level.completion_max,
                deadline_s=level.deadline_s,
            ),
            spec("late", deadline_s=level.deadline_s, binds=level.deadline_binds),
        ),
    )


def _kill(draw: random.Random, number: int) -> worker_kills.Blow:
    return worker_kills.Blow(spec("kill"))


SCENARIO = Scenario(name="multi-worker-chaos", purpose=PURPOSE, plan=plan)
