"""worker-restart: workers are killed, stopped gracefully, and killed all at once; the queue must not mind."""

from __future__ import annotations

import random

from capsize.core.experiment import Experiment, Phase, Spec
from capsize.core.levels import Level
from capsize.scenarios import worker_kills
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, spec

PURPOSE = "Tasks survive the restart of their worker, and none runs twice"


def plan(level: Level, seed: int) -> Experiment:
    """Kill a busy worker first; then, by the seed, kill one, terminate one or kill them all."""
    impossible = level.completion_max < 1.0
    return Experiment(
        scenario="worker-restart",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        phases=phases(
            chaos=Phase(name="chaos", limit_s=level.deadline_s, until="settled"),
            drain_s=1.0 if impossible else max(60.0, level.deadline_s),
        ),
        loads=worker_kills.loads(level),
        strikes=worker_kills.planned(level, seed, "worker-restart", _fault),
        probes=PROBES,
        checkers=(
            *common_claims(level, drained=not impossible),
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
        ),
    )


def _fault(draw: random.Random, number: int) -> tuple[Spec, int]:
    if number == 1:
        return spec("kill"), 1
    return draw.choice([(spec("kill"), 1), (spec("terminate"), 1), (spec("kill"), 0)])


SCENARIO = Scenario(name="worker-restart", purpose=PURPOSE, plan=plan)
