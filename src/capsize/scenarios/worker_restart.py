"""worker-restart: workers are killed, stopped, frozen past their lease; no task may mind."""

from __future__ import annotations

from capsize.core.experiment import Experiment, Phase
from capsize.core.levels import Level
from capsize.scenarios import worker_kills
from capsize.scenarios.building import PROBES, Scenario, common_claims, lease_s, phases, settings, spec

PURPOSE = "Tasks survive the restart of their worker, and none runs twice"
FROZEN_PAST_LEASE_S = 1.5


def plan(level: Level, seed: int) -> Experiment:
    """Kill a busy worker first; then, by the seed, kill, terminate or freeze one, or kill them all."""
    impossible = level.completion_max < 1.0
    return Experiment(
        scenario="worker-restart",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(
            chaos=Phase(name="chaos", limit_s=level.deadline_s, until="settled"),
            drain_s=1.0 if impossible else max(60.0, level.deadline_s),
        ),
        loads=worker_kills.loads(level),
        strikes=worker_kills.planned(level, seed, "worker-restart", _blow(level)),
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
        ),
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


SCENARIO = Scenario(name="worker-restart", purpose=PURPOSE, plan=plan)
