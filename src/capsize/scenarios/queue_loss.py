"""What becomes of a task queue's tasks when a worker dies, and when the broker does: for ``capsize queue``."""

from __future__ import annotations

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import spec

WORKERS, BROKER = "queue-workers", "queue-broker"
SUBMIT_RATE = 50.0
BUSY_WAIT_S = 10.0
BROKER_AWAY_S = 2.0
WAIT_S = {WORKERS: 75.0, BROKER: 45.0}
"""How long a task may take to be run again. The longest default that ends within a minute is Dramatiq's."""
PROBES = tuple(Spec(name=name) for name in ("ready", "instrument", "resources"))


def workers_die(level: Level, seed: int, wait_s: float | None = None) -> Experiment:
    """Kill busy workers, one after the other, while the level's tasks are done; then wait for what was lost.

    ``wait_s`` is how long, beside the work; None: ``WAIT_S``.
    """
    draw = stream(seed, WORKERS, "strikes")
    first_s = draw.uniform(0.25, 0.75) * level.task_delay_s
    apart_s = 1.6 * level.task_delay_s
    strikes = tuple(
        PlannedStrike(
            id=f"s{number + 1}",
            at_s=round(first_s + number * apart_s, 3),
            fault=spec("kill"),
            target=Target(service="worker", pick=fraction(draw), busy=True, wait_s=BUSY_WAIT_S),
        )
        for number in range(level.number + 1)
    )
    purpose = "Busy workers are killed: is each of their tasks run again, and how soon?"
    claims = (spec("landed", live=True), spec("retries"))
    return _experiment(level, seed, WORKERS, purpose, strikes, claims, wait_s)


def broker_dies(level: Level, seed: int, broker: str, wait_s: float | None = None) -> Experiment:
    """Kill the broker with most tasks still waiting, and start it again two seconds later."""
    at_s = stream(seed, BROKER, "strikes").uniform(0.25, 0.75) * level.task_delay_s
    strike = PlannedStrike(
        id="s1",
        at_s=round(at_s, 3),
        fault=spec("stop", hard=True),
        target=Target(service=broker, pick=0.0),
        for_s=level.scaled(BROKER_AWAY_S),
    )
    purpose = "The broker is killed and started again: what was accepted is still there, and is done"
    return _experiment(level, seed, BROKER, purpose, (strike,), (spec("landed"),), wait_s)


def _experiment(
    level: Level,
    seed: int,
    name: str,
    purpose: str,
    strikes: tuple[PlannedStrike, ...],
    claims: tuple[Spec, ...],
    wait_s: float | None,
) -> Experiment:
    work_s = level.tasks * level.task_delay_s / level.workers
    last_s = strikes[-1].at_s + (strikes[-1].for_s or 0.0)
    wait_s = level.scaled(WAIT_S[name] if wait_s is None else wait_s)
    return Experiment(
        scenario=name,
        purpose=purpose,
        level=level,
        seed=seed,
        replicas={"worker": level.workers},
        phases=(
            Phase(name="steady", limit_s=20.0, until="steady", at_least_s=0.5),
            Phase(name="chaos", limit_s=last_s + BUSY_WAIT_S, until="settled", at_least_s=last_s + 1.0),
            Phase(name="recovery", limit_s=30.0, until="steady", at_least_s=0.25),
            # Whether a task comes back is known only when it had its time to, with the workers idle.
            Phase(name="drain", limit_s=work_s + wait_s, until="settled"),
        ),
        loads=(
            LoadPlan(
                load=spec("tasks", count=level.tasks, seconds=level.task_delay_s, rate=SUBMIT_RATE),
                phases=("chaos", "recovery", "drain"),
            ),
        ),
        strikes=strikes,
        probes=PROBES,
        checkers=(
            spec("ended"),
            spec("steady"),
            spec("instrument"),
            # What the broker still holds is not lost: it is stuck, until a setting lets it go.
            spec("lost", drained=False, keeps_records=False),
            spec("duplicate"),
            spec("overlap"),
            spec("stuck", lease_s=0.5),
            *claims,
            spec("completion", min=1.0, deadline_s=last_s + BUSY_WAIT_S + work_s + wait_s),
        ),
        hypothesis=Hypothesis(api_p99_max_s=None, backlog_growth_max=None),
    )
