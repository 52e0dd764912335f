"""commit-ambiguity: statements are carried out and their answers lost, at every kind of transaction there is."""

from __future__ import annotations

import random
from dataclasses import dataclass

from capsize.core.experiment import Experiment, Link, LoadPlan, Phase, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level
from capsize.core.seed import fraction, stream
from capsize.scenarios.building import PROBES, Scenario, common_claims, lease_s, phases, settings, spec
from capsize.systems.starter_sql import TRANSACTIONS, Transaction

NAME = "commit-ambiguity"
PURPOSE = (
    "The answer to what was committed is lost, at every kind of transaction: nothing lost, nothing done twice"
)


@dataclass(frozen=True)
class Doubt:
    """What a level brings: rounds over all kinds, answers lost of each kind and process in a round, kill points."""

    rounds: int
    answers: int
    kills: int


DOUBTS: dict[int, Doubt] = {
    1: Doubt(1, 1, 2),
    2: Doubt(1, 2, 3),
    3: Doubt(2, 1, 4),
    4: Doubt(2, 2, 6),
    5: Doubt(3, 2, 9),
    6: Doubt(3, 3, 12),
}
KILLS_FIRST = ("complete", "claim")
"""Between these effects and their acknowledgement a process is killed at every level; the other places are drawn."""
API_KILLS = 3
"""From this level on the API is killed too."""
ROUND_S = 18.0
WAIT_S = 22.0
"""So long a strike waits for its statement, into the next round if need be."""
WAIT_MAX_S = 25.0
"""However far the times are stretched: a strike has a limit of its own."""
SPREAD_S = 1.0
OUTSIDE_S = (0.5, 5.0)
"""When in a round the outside service begins to fail, and for how long: failures, an open circuit, probes, a success."""
LOSS_S = 3.0
"""When in a round a worker is killed inside of a task. What it held is taken back when its lease is over."""
HELD_S, AROUND_S = 3.0, 5.0
AGAIN_S = 5.0
LEAVE_S = (10.0, 16.0)
"""When in a round a worker is told to end inside of a task."""
KILL_S = (2.0, 12.0)
AFTER_S = 8.0
GRACE_S = "0.05"
"""A worker that is told to end gives back what it is inside of, nearly whatever it is."""
FAILURES, OPEN_S, RETRY_BASE_S = 2, 1.0, 0.3
SHORT_S, LONG_S, OPERATED_S = 0.3, 4.0, 1.0
"""What tasks take; the long ones outlive a lease, so that they live by its renewals."""
SHORT_RATE, LONG_RATE, CALL_RATE, OPERATION_RATE, ACCOUNT_RATE = 1.5, 0.15, 2.0, 0.5, 0.6
CALL_TIMEOUT_S, ATTEMPTS = 0.5, 20
API_RATE = 10.0
DONE_WITHIN_S = 90.0
LINKS = (Link(source="api", target="postgres"), Link(source="worker", target="postgres"))
KINDS = {kind.name: kind for kind in TRANSACTIONS}


def plan(level: Level, seed: int) -> Experiment:
    """Lose the answers of every kind of transaction, kill processes between effect and acknowledgement; clients ask again."""
    doubt = DOUBTS[level.number]
    end_s = round(level.scaled(doubt.rounds * ROUND_S + AFTER_S), 3)
    return Experiment(
        scenario=NAME,
        purpose=PURPOSE,
        level=level,
        seed=seed,
        replicas={"api": 1, "worker": level.workers},
        settings=settings(level)
        | {
            "breaker_failures": str(FAILURES),
            "breaker_open_s": f"{level.scaled(OPEN_S):g}",
            "retry_base_s": f"{level.scaled(RETRY_BASE_S):g}",
            "STARTER_GRACE_S": GRACE_S,
        },
        links=LINKS,
        phases=phases(chaos=Phase(name="chaos", limit_s=end_s)),
        loads=_loads(level, end_s),
        strikes=_strikes(level, seed, doubt),
        probes=(*PROBES, spec("integrity")),
        checkers=(
            *common_claims(level, database=True),
            spec("landed", min=len(TRANSACTIONS)),
            spec("disturbed", min=len(TRANSACTIONS), each=list(KINDS)),
            spec("accounts"),
            spec("attempts"),
            spec("retries", required=True),
            spec("restarted", service="worker"),
            spec("crashes"),
            spec(
                "completion",
                min=1.0,
                deadline_s=end_s + DONE_WITHIN_S,
                clients=["short", "long", "calls"],
            ),
        ),
        hypothesis=Hypothesis(instances={"api": 1, "worker": level.workers}),
    )


def _strikes(level: Level, seed: int, doubt: Doubt) -> tuple[PlannedStrike, ...]:
    """Return every round's strikes: an answer lost of each kind, what makes each kind happen, and the kill points."""
    draw = stream(seed, NAME, "strikes")
    kills = _kills(draw, level, doubt)
    strikes: list[PlannedStrike] = []
    for number in range(1, doubt.rounds + 1):
        start_s = level.scaled((number - 1) * ROUND_S)
        for kind in TRANSACTIONS:
            strikes += _lost(draw, level, doubt, kind, number, start_s)
        strikes += _causes(draw, level, number, start_s)
        strikes += [_kill(draw, level, name, n, start_s) for n, name in enumerate(kills[number - 1], start=1)]
    return tuple(strikes)


def _lost(
    draw: random.Random, level: Level, doubt: Doubt, kind: Transaction, number: int, start_s: float
) -> list[PlannedStrike]:
    """Return the strikes that lose the answers of one kind in one round, at all instances of its service."""
    how = "reset" if number == 1 or draw.random() < 0.5 else "close"
    at_s = start_s + level.scaled(draw.uniform(0.0, SPREAD_S))
    held_s = level.scaled(HELD_S) if doubt.answers > 1 else None
    lost = [_losing(level, kind, f"{number}", at_s, how, doubt.answers, held_s)]
    # Most of these find nothing to do: all answers are lost around the one that takes back, or gives back, a task.
    around = {
        "reap": level.scaled(LOSS_S) + lease_s(level) * 0.7,
        "hand-back": level.scaled(LEAVE_S[0] - 0.2),
    }
    if kind.name in around:
        again_s = start_s + around[kind.name]
        lost.append(_losing(level, kind, f"{number}-around", again_s, how, None, level.scaled(AROUND_S)))
    elif kind.name in ("retry", "refuse"):
        # Several ways lead to these, in turn.
        again_s = at_s + level.scaled(AGAIN_S)
        lost.append(_losing(level, kind, f"{number}-again", again_s, how, doubt.answers, held_s))
    return lost


def _losing(
    level: Level,
    kind: Transaction,
    name: str,
    at_s: float,
    how: str,
    first_n: int | None,
    for_s: float | None,
) -> PlannedStrike:
    args = {"how": how, "first_n": first_n, "wait_s": min(WAIT_MAX_S, level.scaled(WAIT_S)), "label": name}
    return PlannedStrike(
        id=f"{kind.name}.{name}",
        at_s=round(at_s, 3),
        fault=spec("lost_reply", **_match(kind), **args),
        target=Target(service=kind.service, count=0, wait_s=2.0),
        for_s=for_s,
    )


def _causes(draw: random.Random, level: Level, number: int, start_s: float) -> list[PlannedStrike]:
    """Return what makes the rarer kinds happen: a failing outside service, a killed worker, a worker that leaves."""
    at_s, for_s = (level.scaled(seconds) for seconds in OUTSIDE_S)
    outside = PlannedStrike(
        id=f"outside.{number}",
        at_s=round(start_s + at_s, 3),
        fault=spec("dependency", mode="fail"),
        target=Target(service="dependency"),
        for_s=for_s,
    )
    moments = [
        ("loss.", "kill", LOSS_S),
        *((f"leave{n}.", "terminate", at) for n, at in enumerate(LEAVE_S, 1)),
    ]
    ends = [
        PlannedStrike(
            id=f"{name}{number}",
            at_s=round(start_s + level.scaled(at), 3),
            fault=spec(fault),
            target=Target(service="worker", pick=fraction(draw), busy=True, wait_s=level.scaled(2.0)),
        )
        for name, fault, at in moments
    ]
    return [outside, *ends]


def _kills(draw: random.Random, level: Level, doubt: Doubt) -> list[list[str]]:
    """Return the kinds at which somebody dies, for each round; no kind twice before all have had their turn."""
    api = level.number >= API_KILLS
    others = [kind.name for kind in TRANSACTIONS if api or kind.service == "worker"]
    chosen = [
        *KILLS_FIRST,
        *draw.sample([name for name in others if name not in KILLS_FIRST], k=len(others) - 2),
    ]
    rounds: list[list[str]] = [[] for _ in range(doubt.rounds)]
    for number in range(doubt.kills):
        rounds[number % doubt.rounds].append(chosen[number % len(chosen)])
    return rounds


def _kill(draw: random.Random, level: Level, name: str, number: int, start_s: float) -> PlannedStrike:
    """Return a kill point: one process of the kind's service dies when it has done this, and before it knows."""
    kind = KINDS[name]
    at_s = start_s + level.scaled(draw.uniform(*KILL_S))
    return PlannedStrike(
        id=f"kill-at-{name}.{round(start_s)}-{number}",
        at_s=round(at_s, 3),
        fault=spec("kill_point", **_match(kind), wait_s=min(WAIT_MAX_S, level.scaled(WAIT_S - KILL_S[0]))),
        target=Target(service=kind.service, pick=fraction(draw), wait_s=2.0),
    )


def _match(kind: Transaction) -> dict[str, object]:
    return {"statement": kind.statement, "transaction": kind.transaction, "alone": kind.alone}


def _loads(level: Level, end_s: float) -> tuple[LoadPlan, ...]:
    """Return what makes every kind of transaction happen, again and again over the whole chaos."""
    working = ("chaos", "recovery", "drain")

    def tasks(label: str, rate: float, **args: object) -> Spec:
        rate = rate / level.time_scale
        return spec("tasks", label=label, count=max(1, int(end_s * rate)), rate=rate, **args)

    def users(name: str, rate: float, **args: object) -> Spec:
        rate = rate / level.time_scale
        return spec(name, count=max(1, int((end_s - level.scaled(AFTER_S)) * rate)), rate=rate, **args)

    loads = (
        tasks("short", SHORT_RATE, seconds=level.scaled(SHORT_S)),
        tasks("long", LONG_RATE, seconds=level.scaled(LONG_S)),
        tasks(
            "calls",
            CALL_RATE,
            kind="call",
            call_timeout_s=level.scaled(CALL_TIMEOUT_S),
            max_attempts=ATTEMPTS,
        ),
        users("operations", OPERATION_RATE, seconds=level.scaled(OPERATED_S)),
        users("accounts", ACCOUNT_RATE),
    )
    return (
        LoadPlan(load=spec("api", rate=API_RATE), phases=("steady", *working)),
        *(LoadPlan(load=load, phases=working) for load in loads),
    )


def figures(level: Level) -> dict[str, str]:
    """Return how much doubt a level sows."""
    doubt = DOUBTS[level.number]
    return {
        "Rounds": str(doubt.rounds),
        "Kinds of transactions": str(len(TRANSACTIONS)),
        "Answers lost in a round, of each kind and process": str(doubt.answers),
        "Kill points": str(doubt.kills),
    }


SCENARIO = Scenario(name=NAME, purpose=PURPOSE, plan=plan, figures=figures, standard=False)
