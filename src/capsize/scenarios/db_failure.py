"""db-failure: PostgreSQL is stopped, killed, frozen and cut off; the service must answer clearly and heal."""

from __future__ import annotations

from capsize.core.experiment import Experiment, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import stream
from capsize.scenarios import outages
from capsize.scenarios.building import Scenario, common_claims, spec

PURPOSE = "PostgreSQL goes away: clear 503s, a truthful health check, a pool that heals, nothing lost"

STOP, KILL, FREEZE = spec("stop"), spec("stop", hard=True), spec("pause")
CUT = spec("terminate_connections")
KINDS: dict[int, tuple[Spec, ...]] = {
    1: (STOP,),
    2: (STOP, CUT),
    3: (STOP, KILL, CUT),
    4: (STOP, KILL, FREEZE, CUT),
    5: (STOP, KILL, FREEZE, CUT),
    6: (KILL, FREEZE, CUT, STOP),
}
"""What each level does to the database; the first strike is the first kind, the rest come in drawn order."""
HOLD_S = {1: (4.0, 4.0), 2: (4.0, 5.0), 3: (3.5, 5.0), 4: (3.5, 4.5), 5: (2.0, 4.0), 6: (1.0, 3.0)}
"""How long an outage is held, at the least and at the most."""
ROOM_S = 4.0
ANSWER_S = 3.0
"""A clear 503 comes within two seconds by the service contract; the third is for the machine."""


def plan(level: Level, seed: int) -> Experiment:
    """Take the database away in the level's ways, hold each outage, and let the service recover."""
    strikes, moments = _strikes(level, seed)
    return outages.experiment(
        level,
        seed,
        moments,
        name="db-failure",
        purpose=PURPOSE,
        strikes=strikes,
        claims=(
            *(claim for claim in common_claims(level, database=True) if claim.name != "availability"),
            # What is refused with a clear 503 while the database is away is judged by bounded_answers.
            spec("flapping"),
            spec("availability", min=level.api_success_min, outside_outages=True),
            spec("landed"),
            spec("recovery", service="postgres"),
            spec("truthful_health"),
            spec("bounded_answers", limit_s=ANSWER_S),
        ),
        # The database itself is up, seen beside the service, and every part that depends on it answers.
        hypothesis=Hypothesis(
            database=True, instances={"postgres": 1, "api": 1, "worker": level.workers}, api_success_min=0.99
        ),
        probes=(spec("integrity"),),
    )


def _strikes(level: Level, seed: int) -> tuple[tuple[PlannedStrike, ...], list[float]]:
    draw = stream(seed, "db-failure", "faults")
    low, high = HOLD_S[level.number]
    # An outage must be over, and its recovery seen, before the next: intervals shorter than that are stretched.
    shortest = level.scaled(high + ROOM_S)
    moments = outages.times(level, seed, "db-failure", lambda interval: max(interval, shortest))
    kinds = list(KINDS[level.number])
    strikes = []
    for number, at_s in enumerate(moments[:-1], start=1):
        if number > 1 and (number - 1) % len(kinds) == 0:
            draw.shuffle(kinds)
        fault = kinds[(number - 1) % len(kinds)]
        hold_s = round(level.scaled(draw.uniform(low, high)), 3)
        strikes.append(
            PlannedStrike(
                id=f"s{number}",
                at_s=at_s,
                fault=fault,
                target=Target(service="postgres", wait_s=5.0),
                for_s=None if fault is CUT else hold_s,
            )
        )
    return tuple(strikes), moments


SCENARIO = Scenario(name="db-failure", purpose=PURPOSE, plan=plan)
