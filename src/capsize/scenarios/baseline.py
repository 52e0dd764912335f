"""baseline: nothing is broken; every endpoint answers, every task runs exactly once."""

from __future__ import annotations

from capsize.core.experiment import Experiment, LoadPlan, Phase
from capsize.core.levels import Level
from capsize.scenarios.building import PROBES, Scenario, common_claims, settings, spec

PURPOSE = "The system works before it is pushed: every endpoint, login, and every task"
TASK_S = 0.5
CANCELLED = 4
"""So many more tasks are cancelled while they wait behind the others; none of them may run after that."""


def plan(level: Level, seed: int) -> Experiment:
    """Call every endpoint, run the level's number of short tasks, cancel some, and break nothing."""
    task_s = min(level.task_delay_s, level.scaled(TASK_S))
    work_s = level.tasks * task_s / level.workers
    return Experiment(
        scenario="baseline",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=(
            Phase(name="steady", limit_s=15.0, until="steady", at_least_s=0.5),
            Phase(name="drain", limit_s=work_s * 3 + 30.0, until="settled", at_least_s=level.scaled(3.0)),
        ),
        loads=(
            LoadPlan(load=spec("catalogue", rounds=3), phases=("drain",)),
            LoadPlan(load=spec("api", rate=20.0), phases=("drain",)),
            LoadPlan(load=spec("tasks", count=level.tasks, seconds=task_s, rate=20.0), phases=("drain",)),
            LoadPlan(
                load=spec(
                    "tasks",
                    label="cancelled",
                    count=CANCELLED,
                    seconds=task_s,
                    after_s=level.tasks / 20.0,
                    rate=20.0,
                    cancel_after_s=0.05,
                ),
                phases=("drain",),
            ),
        ),
        probes=PROBES,
        checkers=(
            *(claim for claim in common_claims(level) if claim.name != "availability"),
            spec("flapping"),
            spec("availability", min=1.0),
            spec("endpoints"),
            spec("completion", min=1.0, deadline_s=work_s * 3 + 30.0, clients=("tasks",)),
        ),
    )


SCENARIO = Scenario(name="baseline", purpose=PURPOSE, plan=plan)
