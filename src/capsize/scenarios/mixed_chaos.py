"""mixed-chaos: workers, API and database are broken together, one after the other, and healed in another order."""

from __future__ import annotations

import random
from dataclasses import dataclass

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec

PURPOSE = (
    "Several faults at once under load, healed in another order: nothing lost, everything back and at work"
)


@dataclass(frozen=True)
class Storm:
    """What a level brings: volleys, faults in each, the seconds that one lasts, and how many may hit the API."""

    volleys: int
    at_once: int
    lasts_s: tuple[float, float]
    api_max: int


STORMS: dict[int, Storm] = {
    1: Storm(1, 2, (4.0, 5.0), 1),
    2: Storm(2, 3, (4.0, 5.0), 1),
    3: Storm(2, 3, (5.0, 6.0), 2),
    4: Storm(3, 4, (5.0, 7.0), 3),
    5: Storm(4, 4, (5.0, 7.0), 4),
    6: Storm(5, 4, (5.0, 8.0), 5),
}
STAGGER_S = (0.1, 0.4)
"""The faults of a volley come one by one, so closely that each finds the one before still in effect."""
HOLD_MIN = 0.7
"""What is held is healed in the last part of the volley, from this share of it on, in a drawn order."""
AFTER_S = 8.0
"""The chaos goes on so long after the last volley, so that its recovery is under the same load."""
TASK_MAX_S = 2.0
"""All tasks are to be done in the end, at every level: longer ones would only make the run longer."""
STREAM_RATE, STREAM_S = 3.0, 0.2
SUBMIT_RATE = 50.0
API_RATE = 10.0
BUSY_WAIT_S, WAIT_S = 10.0, 1.0
DRAIN_S = 120.0
ANSWER_S = 3.0
RESTART_S = 10.0

WORKER_HELD = (spec("stop", hard=True), spec("pause"))
WORKER_BLOWS = (spec("kill"), spec("terminate"))
DATABASE_HELD = (spec("stop"), spec("stop", hard=True), spec("pause"))
CUT = spec("terminate_connections")


@dataclass(frozen=True)
class _Blow:
    """One fault of a volley before it has its times."""

    fault: Spec
    service: str
    held: bool


def plan(level: Level, seed: int) -> Experiment:
    """Load the workers, break several things at once, heal them in another order, and again at the level's intervals."""
    strikes, end_s = _strikes(level, seed)
    longest_s = level.scaled(STORMS[level.number].lasts_s[1])
    return Experiment(
        scenario="mixed-chaos",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(chaos=Phase(name="chaos", limit_s=end_s), drain_s=DRAIN_S),
        loads=_loads(level, end_s),
        strikes=strikes,
        probes=(*PROBES, spec("integrity")),
        checkers=(
            *(claim for claim in common_claims(level, database=True) if claim.name != "availability"),
            # What is refused while the database is away is judged by bounded_answers, if it is taken away.
            spec("availability", min=level.api_success_min, outside_outages=True),
            spec("landed", min=max(2, len(strikes) // 2), live=True),
            spec("retries", required=True),
            # An instance that is started while the database is away is ready only after it.
            spec("restarted", within_s=RESTART_S + longest_s),
            spec("recovery", service="worker"),
            spec("converged"),
            spec("crashes"),
            spec("truthful_health", required=False),
            *_outage_claims(level, strikes),
            spec("completion", min=1.0, deadline_s=end_s + DRAIN_S),
        ),
        # Everything may be hit at once, so everything must be there, in full number and at its work.
        hypothesis=Hypothesis(
            instances={"postgres": 1, "api": 1, "worker": level.workers}, database=True, api_success_min=0.99
        ),
    )


def _outage_claims(level: Level, strikes: tuple[PlannedStrike, ...]) -> tuple[Spec, ...]:
    """Return the claims that can only be judged when the plan holds the database away for a while."""
    held = any(strike.target.service == "postgres" and strike.for_s is not None for strike in strikes)
    if not held or level.time_scale < 1.0:
        return ()
    # By chance all of them may have been killed within the outage: then there is nobody to judge.
    return (
        spec("bounded_answers", limit_s=ANSWER_S, api="api", required=False),
        spec("restraint", required=False),
    )


def _strikes(level: Level, seed: int) -> tuple[tuple[PlannedStrike, ...], float]:
    """Return all strikes, and the end of the chaos."""
    draw = stream(seed, "mixed-chaos", "volleys")
    storm = STORMS[level.number]
    # The first comes while the first tasks are being worked on.
    at_s = draw.uniform(0.25, 0.75) * min(level.task_delay_s, level.scaled(TASK_MAX_S))
    strikes: list[PlannedStrike] = []
    on_api = 0
    for volley in range(1, storm.volleys + 1):
        blows = _blows(draw, level, storm, api=on_api < storm.api_max)
        on_api += sum(blow.service == "api" for blow in blows)
        lasts_s = level.scaled(draw.uniform(*storm.lasts_s))
        strikes += _timed(draw, level, blows, volley, at_s, lasts_s)
        over_s = at_s + lasts_s
        at_s = over_s + draw.uniform(*level.interval_s)
    return tuple(strikes), round(over_s + level.scaled(AFTER_S), 3)


def _blows(draw: random.Random, level: Level, storm: Storm, *, api: bool) -> list[_Blow]:
    """Return the faults of one volley: a worker is killed, the database is hit once at most, the API too.

    Two faults that need the database to be reached can't be carried out together, so it is hit once. The first
    fault is one that is held: a process that was killed may be back before the next fault comes.
    """
    on_database = draw.choice([_Blow(fault, "postgres", held=True) for fault in DATABASE_HELD])
    on_worker = draw.choice([_Blow(fault, "worker", held=True) for fault in WORKER_HELD])
    leader = draw.choice([on_database, on_worker])
    others = [
        draw.choice([on_database, _Blow(CUT, "postgres", held=False)]) if leader is on_worker else None,
        _Blow(spec("kill"), "api", held=False) if api else None,
        draw.choice([on_worker, _Blow(draw.choice(WORKER_BLOWS), "worker", held=False)]),
        on_worker,
    ]
    kill = _Blow(spec("kill"), "worker", held=False)
    chosen = [kill]
    # No more workers are hit than there are, and one is left alone where there are more than two.
    workers_left = max(2, level.workers - 1) - 1 - (leader is on_worker)
    for blow in draw.sample(others, len(others)):
        if blow is None or len(chosen) == storm.at_once - 1:
            continue
        if blow.service == "worker":
            if not workers_left:
                continue
            workers_left -= 1
        chosen.append(blow)
    return [leader, *draw.sample(chosen, len(chosen))]


def _timed(
    draw: random.Random, level: Level, blows: list[_Blow], volley: int, at_s: float, lasts_s: float
) -> list[PlannedStrike]:
    """Give the faults their times: broken one by one, and what is held healed in a drawn order."""
    heals = [at_s + lasts_s * draw.uniform(HOLD_MIN, 1.0) for _ in blows]
    draw.shuffle(heals)
    strikes: list[PlannedStrike] = []
    for number, (blow, heal_s) in enumerate(zip(blows, heals, strict=True), start=1):
        busy = blow.service == "worker"
        first = volley == 1 and not any(strike.target.busy for strike in strikes)
        strikes.append(
            PlannedStrike(
                id=f"v{volley}s{number}",
                at_s=round(at_s, 3),
                fault=blow.fault,
                target=Target(
                    service=blow.service,
                    pick=fraction(draw),
                    busy=busy,
                    wait_s=level.scaled(BUSY_WAIT_S if first else WAIT_S),
                ),
                for_s=round(heal_s - at_s, 3) if blow.held else None,
            )
        )
        at_s += level.scaled(draw.uniform(*STAGGER_S))
    return strikes


def _loads(level: Level, end_s: float) -> tuple[LoadPlan, ...]:
    """Return the level's tasks all at once, a stream of short ones to the end of the chaos, and API calls."""
    working = ("chaos", "recovery", "drain")
    task_s = min(level.task_delay_s, level.scaled(TASK_MAX_S))
    rate = STREAM_RATE / level.time_scale
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", *working)),
        LoadPlan(load=spec("tasks", count=level.tasks, seconds=task_s, rate=SUBMIT_RATE), phases=working),
        LoadPlan(
            load=spec(
                "tasks", label="stream", count=int(end_s * rate), rate=rate, seconds=level.scaled(STREAM_S)
            ),
            phases=working,
        ),
    )


SCENARIO = Scenario(name="mixed-chaos", purpose=PURPOSE, plan=plan)
