"""recovery: API, a worker and the database are killed again and again; the last return is as quick as the first."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec

PURPOSE = "Killed in cycles: API, worker and database are back in seconds, and no later from cycle to cycle"

SERVICES = ("api", "worker", "postgres")
FIRST_S = 1.0
TASK_S = 0.5
API_RATE = 20.0
API_SUCCESS_MIN = 0.70
"""The guide's critical limit: the API is away on purpose, again and again, at every level alike."""
ONSET_S = 2.0


@dataclass(frozen=True)
class Cycles:
    """How many cycles a level has, and the seconds between two strikes; a cycle has three."""

    number: int
    gap_s: float


CYCLES: dict[int, Cycles] = {
    1: Cycles(6, 3.8),
    2: Cycles(6, 3.8),
    3: Cycles(7, 3.8),
    4: Cycles(8, 3.8),
    5: Cycles(9, 3.7),
    6: Cycles(10, 3.7),
}
"""Never closer than 11 s for one service: a supervisor that saw it up for 10 s restarts it without a growing delay.

Six cycles are the fewest of which one may be out of order without hiding a trend; by chance alone, so orderly
a rise comes in one of 120 runs.
"""
GAP_MIN_S = 1.5
"""A time scale makes no process start faster: strikes never come closer than this."""


def plan(level: Level, seed: int) -> Experiment:
    """Kill API, a busy worker and the database in each cycle, in a drawn order, each with time to come back."""
    cycles = CYCLES[level.number]
    gap_s = max(level.scaled(cycles.gap_s), GAP_MIN_S)
    strikes = _strikes(level, seed, cycles.number, gap_s)
    end_s = round(level.scaled(FIRST_S) + len(strikes) * gap_s, 3)
    onset_s = round(min(ONSET_S, gap_s / 2), 3)
    return Experiment(
        scenario="recovery",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level),
        phases=phases(chaos=Phase(name="chaos", limit_s=end_s)),
        loads=_loads(level, end_s),
        strikes=strikes,
        probes=(*PROBES, spec("integrity")),
        checkers=(
            *(claim for claim in common_claims(level, database=True) if claim.name != "availability"),
            spec("availability", min=API_SUCCESS_MIN, outside_outages=True),
            spec("crashes"),
            spec("landed", min=len(strikes) - len(SERVICES) + 1),
            spec("restarted"),
            *(spec("recovery", service=service, onset_s=onset_s) for service in SERVICES),
            spec("recovery_trend", services=SERVICES, onset_s=onset_s),
            spec("completion", min=1.0, deadline_s=end_s + 90.0),
        ),
        # Each of the three that are killed in every cycle is back, and the calls that need them succeed.
        hypothesis=Hypothesis(
            instances={"api": 1, "worker": level.workers, "postgres": 1}, database=True, api_success_min=0.99
        ),
    )


def _strikes(level: Level, seed: int, cycles: int, gap_s: float) -> tuple[PlannedStrike, ...]:
    draw = stream(seed, "recovery", "strikes")
    # One order for the whole run: so the same service is struck at even intervals.
    order = draw.sample(SERVICES, k=len(SERVICES)) * cycles
    return tuple(
        PlannedStrike(
            id=f"s{number}",
            at_s=round(level.scaled(FIRST_S) + (number - 1) * gap_s, 3),
            fault=spec("kill"),
            target=Target(
                service=service,
                pick=fraction(draw),
                busy=service == "worker",
                wait_s=min(1.0, level.scaled(2.0)),
            ),
        )
        for number, service in enumerate(order, start=1)
    )


def _loads(level: Level, end_s: float) -> tuple[LoadPlan, ...]:
    """Return API calls throughout, and short tasks over the whole chaos, about one at a time for each worker."""
    task_s = level.scaled(TASK_S)
    count = max(level.tasks, int(end_s * level.workers / task_s / 2))
    tasks = spec("tasks", count=count, seconds=task_s, rate=round(count / end_s, 6))
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", "chaos", "recovery", "drain")),
        LoadPlan(load=tasks, phases=("chaos", "recovery", "drain")),
    )


def figures(level: Level) -> dict[str, str]:
    """Return the cycles of a level."""
    cycles = CYCLES[level.number]
    strikes = cycles.number * len(SERVICES)
    return {
        "Cycles": str(cycles.number),
        "Strikes": str(strikes),
        "Between two": f"{cycles.gap_s:g} s",
        "Chaos": f"{FIRST_S + strikes * cycles.gap_s:.0f} s",
    }


SCENARIO = Scenario(name="recovery", purpose=PURPOSE, plan=plan, alone=True, figures=figures)
