"""network-partition: API and workers are cut off from the database, delayed and starved; nothing is done twice."""

from __future__ import annotations

import random

from capsize.core.experiment import Experiment, Link, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios import outages
from capsize.scenarios.building import PROBES, Scenario, common_claims, lease_s, phases, settings, spec

NAME = "network-partition"
PURPOSE = (
    "API or workers can't reach the database, or hardly: clear answers, no task done twice, all back at work"
)

CUT = spec("partition")
DEAF, MUTE = spec("partition", cut="in"), spec("partition", cut="out")
SLOW, UNSTEADY = spec("latency", latency_ms=100), spec("latency", latency_ms=150, jitter_ms=100)
LOSSY = spec("packet_loss", probability=0.1)
TORN, NARROW = spec("reset"), spec("bandwidth", rate_kb=8)
KINDS: dict[int, tuple[Spec, ...]] = {
    1: (CUT,),
    2: (CUT, SLOW),
    3: (CUT, DEAF, LOSSY),
    4: (CUT, DEAF, UNSTEADY, LOSSY),
    5: (CUT, DEAF, MUTE, UNSTEADY, TORN),
    6: (CUT, DEAF, MUTE, UNSTEADY, LOSSY, TORN, NARROW),
}
"""What happens to connections at each level; at the first moment they are cut, the rest comes in drawn order."""
PAST_LEASE_S = (2.5, 4.0)
"""A cut is held so much longer than a lease: the worker must give up what it holds, and somebody else take it.

The rest is for the proof: a worker that went on would be inside of a task for so long beside the one that has it.
"""
ROOM_S = 5.0
ALL_WORKERS = 5
"""From this level on a strike may be on all workers at once."""
LONG_S = 8.0
"""The first tasks take so long that a worker which is cut off in the first seconds can't finish them in its lease."""
AFTER_S = 0.3
TASK_S = 0.5
BUSY = 0.5
"""The share of the workers' time that the other tasks take."""
ANSWER_S = 3.0
"""A clear 503 comes within two seconds by the service contract; the third is for the machine."""
LINKS = (Link(source="api", target="postgres"), Link(source="worker", target="postgres"))


def plan(level: Level, seed: int) -> Experiment:
    """Disturb the API's connections and those of a busy worker together, and let both recover."""
    strikes, moments = _strikes(level, seed)
    return Experiment(
        scenario=NAME,
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        links=LINKS,
        phases=phases(chaos=Phase(name="chaos", limit_s=moments[-1])),
        loads=_loads(level, moments),
        strikes=strikes,
        probes=PROBES,
        checkers=(
            *(claim for claim in common_claims(level) if claim.name != "availability"),
            # What is refused with a clear 503 while the API is cut off is judged by bounded_answers.
            spec("flapping"),
            spec("availability", min=level.api_success_min, outside_outages=True),
            spec("landed", min=len(strikes), live=True),
            spec("disturbed", min=len(strikes)),
            spec("retries", required=True),
            spec("recovery", service="api"),
            spec("reconnected"),
            spec("crashes"),
            spec("truthful_health"),
            spec("bounded_answers", limit_s=ANSWER_S),
            spec("completion", min=1.0, deadline_s=moments[-1] + outages.DONE_WITHIN_S),
        ),
        hypothesis=Hypothesis(instances={"api": 1, "worker": level.workers}),
    )


def _strikes(level: Level, seed: int) -> tuple[tuple[PlannedStrike, ...], list[float]]:
    draw = stream(seed, NAME, "strikes")
    longest = lease_s(level) + level.scaled(PAST_LEASE_S[1] + ROOM_S)
    moments = outages.times(level, seed, NAME, lambda interval: max(interval, longest))
    on_api, on_worker = _kinds(draw, level, len(moments) - 1), _kinds(draw, level, len(moments) - 1)
    strikes: list[PlannedStrike] = []
    for number, at_s in enumerate(moments[:-1], start=1):
        for service, fault in (("api", on_api[number - 1]), ("worker", on_worker[number - 1])):
            everybody = level.number >= ALL_WORKERS and number > 1 and draw.random() < 0.3
            worker = service == "worker"
            strikes.append(
                PlannedStrike(
                    id=f"{service}.{number}",
                    at_s=at_s,
                    fault=fault,
                    target=Target(
                        service=service,
                        pick=fraction(draw),
                        count=0 if everybody and worker else 1,
                        busy=worker,
                        wait_s=level.scaled(5.0),
                    ),
                    for_s=round(lease_s(level) + level.scaled(draw.uniform(*PAST_LEASE_S)), 3),
                )
            )
    return tuple(strikes), moments


def _kinds(draw: random.Random, level: Level, number: int) -> list[Spec]:
    """Return what happens at each moment: a cut, then all kinds of the level in drawn orders."""
    kinds = [CUT]
    while len(kinds) < number:
        kinds += draw.sample(KINDS[level.number], len(KINDS[level.number]))
    return kinds[:number]


def _loads(level: Level, moments: list[float]) -> tuple[LoadPlan, ...]:
    """Return API calls throughout, long tasks for half of the workers at once, and short ones from the first strike on.

    So the first victim is inside of a long task, and somebody stands idle who can take it over.
    """
    first_s, end_s = moments[0], moments[-1]
    working = ("chaos", "recovery", "drain")
    task_s = level.scaled(TASK_S)
    count = max(level.tasks, int(end_s * level.workers * BUSY / task_s))
    long = spec("tasks", label="long", count=max(1, level.workers // 2), seconds=level.scaled(LONG_S))
    after_s = round(first_s + level.scaled(AFTER_S), 3)
    rate = round(count / (end_s - after_s), 6)
    short = spec("tasks", count=count, seconds=task_s, rate=rate, after_s=after_s)
    return (
        LoadPlan(load=spec("api", rate=outages.API_RATE), phases=("steady", *working)),
        LoadPlan(load=long, phases=working),
        LoadPlan(load=short, phases=working),
    )


SCENARIO = Scenario(name=NAME, purpose=PURPOSE, plan=plan, standard=False)
