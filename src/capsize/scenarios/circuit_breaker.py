"""circuit-breaker: an outside service fails, hangs, answers nonsense or is gone; only its callers may notice."""

from __future__ import annotations

from capsize.core.experiment import Experiment, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import stream
from capsize.scenarios.building import PROBES, Scenario, common_claims, phases, settings, spec

PURPOSE = "An outside service fails: its circuit opens, holds and closes again, and no other task suffers"

FAILURES = 5
OPEN_S = 2.0
TIMEOUT_S = 1.0
"""How long a task waits for the outside service's answer."""
RETRY_BASE_S = 1.0
RECOVERS_S = 3.0
"""The circuit closes at most so long after what a circuit's own times explain; the guide has no figure for it."""

KINDS: dict[int, tuple[str, ...]] = {
    1: ("fail", "hang"),
    2: ("fail", "hang"),
    3: ("fail", "hang", "refuse"),
    4: ("fail", "hang", "refuse", "garbage"),
    5: ("fail", "hang", "refuse", "garbage", "slow"),
    6: ("fail", "hang", "refuse", "garbage", "slow"),
}
"""How the outside service may behave at each level; the seed draws the order."""
SPELLS = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 5}
FIRST_S = (6.0, 7.0)
"""The first spell begins late enough for what is normal to be measured before it."""
HOLD_S = (9.0, 11.0)
"""Long enough for the circuit to open also when every call hangs, and for two probes."""
ROOM_S = OPEN_S + TIMEOUT_S + RECOVERS_S + 1.0

CALL_RATE = 3.0
DELAY_RATE = 5.0
DELAY_S = 0.1
UNKNOWN = 8
ATTEMPTS = 20
"""A spell fails a task once for each call that it makes, and the circuit lets few through: far below this."""
API_RATE = 10.0


def plan(level: Level, seed: int) -> Experiment:
    """Let calls, other tasks and tasks of an unknown type flow, and the outside service go bad and well again."""
    strikes, end_s = _strikes(level, seed)
    open_s, timeout_s = level.scaled(OPEN_S), level.scaled(TIMEOUT_S)
    circuit = {"failures": FAILURES, "open_s": open_s, "timeout_s": timeout_s}
    return Experiment(
        scenario="circuit-breaker",
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level)
        | {
            "breaker_failures": str(FAILURES),
            "breaker_open_s": f"{open_s:g}",
            "retry_base_s": f"{level.scaled(RETRY_BASE_S):g}",
        },
        phases=phases(chaos=Phase(name="chaos", limit_s=end_s)),
        loads=_loads(level, end_s, strikes[0].at_s),
        strikes=strikes,
        probes=(*PROBES, spec("breaker", interval_s=max(0.05, level.scaled(0.2)))),
        checkers=(
            *common_claims(level),
            spec("landed", min=len(strikes)),
            spec("breaker_opens", workers=level.workers, **circuit),
            spec("breaker_holds", **circuit),
            spec("breaker_recovers", within_s=open_s + timeout_s + RECOVERS_S, **circuit),
            spec("truthful_breaker", **circuit),
            spec("isolation", **circuit),
            spec("attempts"),
            spec("retry_backoff", base_s=level.scaled(RETRY_BASE_S)),
            spec("dead_letters"),
            spec("completion", min=1.0, deadline_s=end_s + 60.0, clients=["calls", "delays"]),
        ),
        # No circuit is open but that of the unknown type, which nobody can close.
        hypothesis=Hypothesis(
            circuits_closed=("call", "delay"),
            instances={"api": 1, "worker": level.workers},
            api_success_min=0.99,
        ),
    )


def _strikes(level: Level, seed: int) -> tuple[tuple[PlannedStrike, ...], float]:
    """Return the spells and the end of the chaos phase, which leaves room for the last recovery."""
    draw = stream(seed, "circuit-breaker", "spells")
    modes: list[str] = []
    while len(modes) < SPELLS[level.number]:
        modes += draw.sample(KINDS[level.number], len(KINDS[level.number]))
    if modes[0] == "slow":
        # What is normal after a spell of failures is what a slow spell is compared with.
        modes[0], modes[1] = modes[1], modes[0]
    at_s = round(level.scaled(draw.uniform(*FIRST_S)), 3)
    strikes: list[PlannedStrike] = []
    for number, mode in enumerate(modes[: SPELLS[level.number]], start=1):
        hold_s = round(level.scaled(draw.uniform(*HOLD_S)), 3)
        strikes.append(
            PlannedStrike(
                id=f"s{number}",
                at_s=at_s,
                fault=_fault(mode, level),
                target=Target(service="dependency"),
                for_s=hold_s,
            )
        )
        # The circuit must be seen to close before the next spell: intervals too short for it are stretched.
        interval_s = max(draw.uniform(*level.interval_s), hold_s + level.scaled(ROOM_S))
        at_s = round(at_s + interval_s, 3)
    return tuple(strikes), at_s


def _fault(mode: str, level: Level) -> Spec:
    if mode == "slow":
        return spec("dependency", mode=mode, slow_s=level.scaled(TIMEOUT_S) * 0.4)
    return spec("dependency", mode=mode)


def _loads(level: Level, end_s: float, first_s: float) -> tuple[LoadPlan, ...]:
    """Return the calls, the other tasks, a few tasks of a type that nobody knows, and API calls."""
    working = ("chaos", "recovery", "drain")
    call_rate, delay_rate = CALL_RATE / level.time_scale, DELAY_RATE / level.time_scale
    calls = spec(
        "tasks",
        label="calls",
        kind="call",
        count=int(end_s * call_rate),
        rate=call_rate,
        call_timeout_s=level.scaled(TIMEOUT_S),
        max_attempts=ATTEMPTS,
    )
    delays = spec(
        "tasks", label="delays", count=int(end_s * delay_rate), rate=delay_rate, seconds=level.scaled(DELAY_S)
    )
    # Spread over the time in which the other tasks' circuit is open as well as closed.
    unknown = spec(
        "tasks",
        label="unknown",
        kind="unknown",
        count=UNKNOWN,
        rate=round(UNKNOWN / (end_s - first_s), 6),
        after_s=first_s,
    )
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", *working)),
        *(LoadPlan(load=load, phases=working) for load in (calls, delays, unknown)),
    )


SCENARIO = Scenario(name="circuit-breaker", purpose=PURPOSE, plan=plan)
