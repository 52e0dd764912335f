"""task-flood: far more tasks than the workers can do, as fast as the clock says and not as the service likes."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.core.experiment import Experiment, LoadPlan, Phase, Spec
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec
from capsize.scenarios.overrides import chosen

PURPOSE = "A flood of tasks: all accepted soon, all done, the queue empties, no memory leaks"

TASK_S = 0.1
API_RATE = 10.0
CALLS_MIN = 30
LOOK_S = 0.5
SLACK_S = 10.0
"""What a bound on a backlog grants beside a multiple of the time that the backlog must take."""
WAITING_S = 1.0
"""The longest wait for a first run that is normal when no flood is on; a good service needs some milliseconds."""
EFFORT = 0.4
"""The share of their capacity that the workers must reach at least; the rest is for a busy machine."""
LEAK_PER_TASK = 1024.0
"""Bytes for each task that a process may keep for good before it counts as a leak."""
WARM_S = 3.0
"""Connections, caches and the first collections: so long a process may grow under a new load."""


@dataclass(frozen=True)
class Flood:
    """The flood of one level: ``rate`` tasks per second for ``lasts_s``, each worker running ``concurrency`` at once."""

    rate: float
    lasts_s: float
    concurrency: int


FLOODS: dict[int, Flood] = {
    1: Flood(120.0, 10.0, 4),
    2: Flood(140.0, 12.0, 5),
    3: Flood(160.0, 14.0, 4),
    4: Flood(180.0, 16.0, 4),
    5: Flood(200.0, 18.0, 4),
    6: Flood(240.0, 20.0, 8),
}
"""At each level half as much again as its workers can do: level 1 has 2 workers x 4 tasks at once / 0.1 s = 80/s."""


def plan(level: Level, seed: int) -> Experiment:
    """Submit tasks at the level's flood rate, whatever the service does, then let the queue empty.

    ``--tasks`` and ``--task-delay`` replace the flood's; a time scale shortens the flood and leaves its rate.
    """
    flood = FLOODS[level.number]
    lasts_s = level.scaled(flood.lasts_s)
    count = chosen(level, "tasks", round(flood.rate * lasts_s))
    task_s = chosen(level, "task_delay_s", TASK_S)
    lasts_s = count / flood.rate
    capacity = level.workers * flood.concurrency / task_s if task_s else flood.rate
    # What is left over when the flood ends, in seconds of the workers' work.
    backlog_s = max(0.0, count / capacity - lasts_s)
    return Experiment(
        scenario="task-flood",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level) | {"STARTER_CONCURRENCY": str(flood.concurrency)},
        phases=phases(
            chaos=Phase(name="chaos", limit_s=round(lasts_s, 3)), drain_s=round(3 * backlog_s + 60.0, 3)
        ),
        loads=(
            LoadPlan(
                load=spec("api", rate=max(API_RATE, round(CALLS_MIN / lasts_s, 3))),
                phases=("steady", "chaos", "recovery", "drain"),
            ),
            LoadPlan(
                load=spec("tasks", count=count, seconds=task_s, rate=flood.rate),
                phases=("chaos", "recovery", "drain"),
            ),
        ),
        probes=_probes(lasts_s),
        checkers=_claims(level, flood, capacity, backlog_s, lasts_s),
        # An accepted task is begun at once: before the flood, and again when its backlog is worked off.
        hypothesis=Hypothesis(
            waiting_max_s=WAITING_S, instances={"worker": level.workers}, api_success_min=0.99
        ),
    )


def _probes(lasts_s: float) -> tuple[Spec, ...]:
    """Return the usual probes, memory looked at more often, and one into the database's own figures.

    However short the flood is, there are about twenty looks in it.
    """
    look_s = round(min(LOOK_S, max(LOOK_S / 10, lasts_s / 20)), 3)
    often = {name: spec(name, interval_s=look_s) for name in ("resources", "stats")}
    return (
        *(often.get(probe.name, probe) for probe in PROBES),
        spec("database_load", interval_s=look_s),
    )


def _claims(
    level: Level, flood: Flood, capacity: float, backlog_s: float, lasts_s: float
) -> tuple[Spec, ...]:
    soon_s = round(3 * backlog_s + SLACK_S, 3)
    return (
        *common_claims(level),
        spec("crashes"),
        spec("acceptance", p99_max_s=2.0),
        spec("pickup", p99_max_s=soon_s),
        spec(
            "throughput",
            min_per_s=round(min(EFFORT * capacity, flood.rate / 2), 3),
            span_s=min(2.0, round(lasts_s / 2, 3)),
        ),
        spec("queue", settle_s=soon_s, near=2, peak_min=20),
        spec("database_load"),
        spec(
            "memory",
            budget_bytes_per_s=LEAK_PER_TASK * flood.rate,
            warm_s=min(WARM_S, round(lasts_s / 3, 3)),
        ),
        spec("completion", min=1.0),
    )


def figures(level: Level) -> dict[str, str]:
    """Return the flood of a level."""
    flood = FLOODS[level.number]
    capacity = level.workers * flood.concurrency / TASK_S
    return {
        "Flood": f"{flood.rate:g}/s for {flood.lasts_s:g} s",
        "Tasks": f"{flood.rate * flood.lasts_s:.0f} x {TASK_S:g} s",
        "Workers": f"{level.workers} x {flood.concurrency} at once",
        "Capacity": f"{capacity:g}/s",
        "Required": f"{min(EFFORT * capacity, flood.rate / 2):g}/s",
    }


SCENARIO = Scenario(name="task-flood", purpose=PURPOSE, plan=plan, alone=True, figures=figures)
