"""multi-worker-chaos: workers are killed in the middle of their tasks, against a deadline."""

from __future__ import annotations

import random

from capsize.core.experiment import Experiment
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.scenarios import worker_kills
from capsize.scenarios.building import Scenario, spec

NAME = "multi-worker-chaos"
PURPOSE = "Several workers, killed at random inside their tasks, against a deadline"


def plan(level: Level, seed: int) -> Experiment:
    """Kill one busy worker at each interval of the level until the work is done or the deadline is over."""
    return worker_kills.experiment(
        level,
        seed,
        name=NAME,
        purpose=PURPOSE,
        blow=_kill,
        # All of the workers against the deadline, and nothing else of the system in trouble.
        hypothesis=Hypothesis(
            instances={"api": 1, "worker": level.workers}, api_success_min=0.99, database=True
        ),
        claims=(
            spec("spread"),
            spec("late", deadline_s=level.deadline_s, binds=level.deadline_binds),
        ),
    )


def _kill(draw: random.Random, number: int) -> worker_kills.Blow:
    return worker_kills.Blow(spec("kill"))


SCENARIO = Scenario(name=NAME, purpose=PURPOSE, plan=plan)
