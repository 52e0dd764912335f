"""dynamic-scaling: five workers, then two, then one more every ten seconds, while tasks run."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec
from capsize.scenarios.overrides import chosen

PURPOSE = "Workers are taken away and added while tasks run: nothing is lost, and the new ones help"

FULL, REDUCED = 5, 2
DOWN_S, UP_S, STEP_S, END_S = 60.0, 120.0, 10.0, 240.0
"""The guide's time line: fewer workers, more again step by step, and the end of the watch."""
JITTER_S = 2.0
"""A step comes up to so much later, by the seed, so that it does not always meet its task at the same place."""
LEAD_S = 0.5
"""A burst of tasks comes so long before its step: the step meets live work."""
LEAD_MIN_S = 0.25
"""No time scale makes submitting a burst faster than this."""
BURST_RATE = 50.0
API_RATE = 10.0
SHARES = (0.40, 0.30, 0.15, 0.08, 0.07)
"""How the tasks are dealt out: at the begin, at the step down, and at each of three steps up.

All at once would be over before the first step at the lower levels; a steady stream would leave five workers
idle and two as well. So each phase begins with work for it, and most of it comes before the workers leave.
"""


@dataclass(frozen=True)
class Work:
    """The work of one level, and the grace that a worker has to finish when it is told to leave.

    With a grace longer than a task leaving workers finish; with a shorter one they must hand back.
    """

    tasks: int
    task_s: float
    deadline_s: float
    grace_s: float = 10.0


WORK: dict[int, Work] = {
    1: Work(75, 2.0, 300.0),
    2: Work(97, 2.5, 270.0),
    3: Work(120, 3.0, 240.0),
    4: Work(155, 3.3, 220.0, grace_s=1.0),
    5: Work(190, 3.7, 200.0, grace_s=1.0),
    6: Work(225, 4.0, 180.0, grace_s=1.0),
}
"""Levels 1, 3 and 6 as the guide has them; the others lie between.

Level 6 is 900 s of work against the 690 s that the workers have within its deadline: done, but late.
"""


def plan(level: Level, seed: int) -> Experiment:
    """Take workers away at 60 s, add one at 120, 130 and 140 s, and end when all tasks are done.

    ``--tasks``, ``--task-delay`` and ``--deadline`` replace the table's figures, ``--workers`` the full number.
    """
    work = WORK[level.number]
    full = chosen(level, "workers", FULL)
    deadline_s = chosen(level, "deadline_s", level.scaled(work.deadline_s))
    strikes = _strikes(level, seed, full)
    last_s = max((strike.at_s for strike in strikes), default=0.0)
    return Experiment(
        scenario="dynamic-scaling",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": full},
        settings=settings(level) | {"STARTER_GRACE_S": f"{level.scaled(work.grace_s):g}"},
        phases=phases(
            chaos=Phase(
                name="chaos",
                limit_s=round(max(level.scaled(END_S), last_s + level.scaled(STEP_S)), 3),
                until="settled",
                # A worker that was added must have had the time to come up and take part.
                at_least_s=round(last_s + min(level.scaled(STEP_S), 5.0), 3),
            ),
            drain_s=max(60.0, deadline_s),
        ),
        loads=_loads(level, work, strikes),
        strikes=strikes,
        probes=(*PROBES, spec("database_load", interval_s=1.0)),
        checkers=_claims(level, work, strikes, deadline_s),
        # The full number of workers, before they are taken away and after they were given back.
        hypothesis=Hypothesis(instances={"api": 1, "worker": full}, api_success_min=0.99),
    )


def _strikes(level: Level, seed: int, full: int) -> tuple[PlannedStrike, ...]:
    """Return one step down, and as many steps up as it takes to be full again."""
    draw = stream(seed, "dynamic-scaling", "steps")
    reduced = max(1, round(full * REDUCED / FULL))
    steps = [(DOWN_S, reduced)] if reduced < full else []
    steps += [(UP_S + STEP_S * number, reduced + number + 1) for number in range(full - reduced)]
    return tuple(
        PlannedStrike(
            id=f"s{number}",
            at_s=round(level.scaled(at_s + draw.uniform(0.0, JITTER_S)), 3),
            fault=spec("scale", to=to),
            target=Target(service="worker", pick=fraction(draw), count=0, wait_s=5.0),
        )
        for number, (at_s, to) in enumerate(steps, start=1)
    )


def _loads(level: Level, work: Work, strikes: tuple[PlannedStrike, ...]) -> tuple[LoadPlan, ...]:
    """Return API calls throughout, and a burst of tasks at the begin and shortly before each step."""
    tasks = chosen(level, "tasks", work.tasks)
    lead_s = max(level.scaled(LEAD_S), LEAD_MIN_S)
    moments = [0.0, *(max(0.0, strike.at_s - lead_s) for strike in strikes)]
    bursts = [
        spec(
            "tasks",
            count=count,
            seconds=_task_s(level, work),
            rate=BURST_RATE,
            after_s=round(after_s, 3),
            label=f"burst-{number}",
        )
        for number, (after_s, count) in enumerate(
            zip(moments, dealt(tasks, len(moments)), strict=True), start=1
        )
        if count
    ]
    calls = LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", "chaos", "recovery", "drain"))
    return (calls, *(LoadPlan(load=burst, phases=("chaos", "recovery", "drain")) for burst in bursts))


def dealt(tasks: int, bursts: int) -> list[int]:
    """Deal tasks out by ``SHARES``; what is left over by rounding, or by fewer bursts, comes first."""
    shares = (*SHARES, *([0.0] * bursts))[:bursts]
    counts = [int(tasks * share) for share in shares]
    return [counts[0] + tasks - sum(counts), *counts[1:]]


def _claims(
    level: Level, work: Work, strikes: tuple[PlannedStrike, ...], deadline_s: float
) -> tuple[Spec, ...]:
    task_s = _task_s(level, work)
    work_s = task_s * chosen(level, "tasks", work.tasks)
    return (
        *common_claims(level),
        spec("crashes"),
        spec("landed", min=len(strikes), live=True),
        spec(
            "scaling",
            steps={strike.id: strike.fault.args["to"] for strike in strikes},
            # The grace, or the task if it is shorter, and what a busy machine takes to end a process.
            down_s=round(min(level.scaled(work.grace_s), task_s) + 7.0, 3),
            first_task_s=3.0,
        ),
        spec("queue", settle_s=round(1.5 * work_s / FULL + 15.0, 3), peak_min=3),
        spec("utilization", waiting_s=level.scaled(5.0)),
        spec("spread"),
        spec("memory", budget_bytes_per_s=64 * 1024.0, warm_s=level.scaled(10.0)),
        spec("completion", min=1.0),
        spec("late", deadline_s=deadline_s),
    )


def _task_s(level: Level, work: Work) -> float:
    return chosen(level, "task_delay_s", level.scaled(work.task_s))


def figures(level: Level) -> dict[str, str]:
    """Return the work of a level."""
    work = WORK[level.number]
    return {
        "Tasks": f"{work.tasks} x {work.task_s:g} s",
        "Deadline": f"{work.deadline_s:g} s",
        "Grace on leaving": f"{work.grace_s:g} s",
        "Tasks at 0, 60, 120, 130, 140 s": ", ".join(map(str, dealt(work.tasks, len(SHARES)))),
    }


SCENARIO = Scenario(name="dynamic-scaling", purpose=PURPOSE, plan=plan, figures=figures)
