"""baseline: nothing is broken; every endpoint answers, every task runs exactly once."""

from __future__ import annotations

from capsize.core.experiment import Experiment, LoadPlan, Phase
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.scenarios.building import PROBES, Scenario, common_claims, settings, spec

PURPOSE = "The system works before it is pushed: every endpoint, login, and every task"
TASK_S = 0.5
PICKUP_S = 3.0
"""What the wait for a first run may be beside one and a half times the work before it, for a busy machine."""
CANCELLED = 4
"""So many more tasks are cancelled while they wait behind the others; none of them may run after that."""


def plan(level: Level, seed: int) -> Experiment:
    """Call every endpoint, run the level's number of short tasks, cancel some, and break nothing."""
    task_s = min(level.task_delay_s, level.scaled(TASK_S))
    work_s = level.tasks * task_s / level.workers
    replicas = {"api": 1, "worker": level.workers}
    return Experiment(
        scenario="baseline",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas=replicas,
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
            spec("pickup", p99_max_s=round(work_s * 1.5 + PICKUP_S, 3), count_min=10),
            spec("completion", min=1.0, deadline_s=work_s * 3 + 30.0, clients=("tasks",)),
        ),
        # Nothing is broken here: every single call and look must be good.
        hypothesis=Hypothesis(
            ready_min=1.0, api_success_min=1.0, instances={**replicas, "postgres": 1}, database=True
        ),
    )


SCENARIO = Scenario(name="baseline", purpose=PURPOSE, plan=plan)
