"""worker-restart: workers are killed, stopped, frozen past their lease; no task may mind."""

from __future__ import annotations

from capsize.core.experiment import Experiment
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.scenarios import worker_kills
from capsize.scenarios.building import Scenario, lease_s, spec

NAME = "worker-restart"
PURPOSE = "Tasks survive the restart of their worker, and none runs twice"
FROZEN_PAST_LEASE_S = 1.5


def plan(level: Level, seed: int) -> Experiment:
    """Kill a busy worker first; then, by the seed, kill, terminate or freeze one, or kill them all."""
    return worker_kills.experiment(
        level,
        seed,
        name=NAME,
        purpose=PURPOSE,
        blow=_blow(level),
        # Every worker is ready. The API is not touched, so its calls succeed, before and after alike.
        hypothesis=Hypothesis(instances={"worker": level.workers}, api_success_min=0.99),
    )


def _blow(level: Level) -> worker_kills.Draw:
    one = worker_kills.Blow(spec("kill"))
    others = (
        one,
        worker_kills.Blow(spec("terminate")),
        worker_kills.Blow(spec("kill"), count=0),
        # Frozen until its lease is over and its task is with somebody else: it must notice when it wakes.
        worker_kills.Blow(spec("pause"), for_s=lease_s(level) + FROZEN_PAST_LEASE_S),
    )
    return lambda draw, number: one if number == 1 else draw.choice(others)


SCENARIO = Scenario(name=NAME, purpose=PURPOSE, plan=plan)
