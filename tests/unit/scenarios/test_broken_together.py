"""The plans of mixed-chaos and circuit-breaker: what comes together, and what must not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from capsize.core.experiment import Experiment, PlannedStrike
from capsize.core.levels import LEVELS, level
from capsize.scenarios import SCENARIOS
from capsize.scenarios.circuit_breaker import HOLD_S, KINDS, ROOM_S, SPELLS
from capsize.scenarios.mixed_chaos import STORMS

SEEDS = range(40)


def volleys(plan: Experiment) -> list[list[PlannedStrike]]:
    """Return the strikes of each volley, in order."""
    grouped: dict[str, list[PlannedStrike]] = {}
    for strike in plan.strikes:
        grouped.setdefault(strike.id.partition("s")[0], []).append(strike)
    return list(grouped.values())


@pytest.mark.parametrize("number", LEVELS)
def test_every_volley_is_a_compound_fault(number: int) -> None:
    """As many faults as the level says, a worker killed, the first one held, the database hit once at most."""
    storm = STORMS[number]
    for seed in SEEDS:
        plan = SCENARIOS["mixed-chaos"].plan(level(number), seed)
        assert len(volleys(plan)) == storm.volleys
        on_api = sum(strike.target.service == "api" for strike in plan.strikes)
        assert on_api <= storm.api_max
        for volley in volleys(plan):
            assert 2 <= len(volley) <= storm.at_once
            assert ("kill", "worker") in [(one.fault.name, one.target.service) for one in volley]
            assert volley[0].for_s is not None
            services = [strike.target.service for strike in volley]
            assert services.count("postgres") <= 1
            assert services.count("api") <= 1
            assert services.count("worker") <= level(number).workers
            for strike in volley:
                if strike.for_s is not None:
                    assert strike.for_s > volley[-1].at_s - strike.at_s, "the last fault falls into the hold"


@pytest.mark.parametrize("number", LEVELS)
def test_volleys_keep_the_level_s_interval(number: int) -> None:
    """Between the last healing of one volley and the first fault of the next lies an interval of the level."""
    low, high = level(number).interval_s
    for seed in SEEDS:
        plan = SCENARIOS["mixed-chaos"].plan(level(number), seed)
        for before, after in pairwise(volleys(plan)):
            over = before[0].at_s + STORMS[number].lasts_s[1]
            assert low - 3.0 <= after[0].at_s - over <= high
        chaos = plan.phase("chaos")
        assert chaos is not None
        assert all(strike.at_s + (strike.for_s or 0.0) < chaos.limit_s for strike in plan.strikes)


def test_some_seed_heals_in_another_order() -> None:
    """The one that was broken last is not always the one that is healed last."""
    orders = set()
    for seed in SEEDS:
        for volley in volleys(SCENARIOS["mixed-chaos"].plan(level(5), seed)):
            held = [strike for strike in volley if strike.for_s is not None]
            heals = sorted(held, key=lambda strike: strike.at_s + (strike.for_s or 0.0))
            if len(held) > 1:
                orders.add(heals == held)
    assert orders == {True, False}


@pytest.mark.parametrize("number", LEVELS)
def test_claims_that_need_an_outage_are_made_only_with_one(number: int) -> None:
    """Without a held strike on the database there would be no evidence for them."""
    for seed in SEEDS:
        plan = SCENARIOS["mixed-chaos"].plan(level(number), seed)
        held = any(strike.target.service == "postgres" and strike.for_s for strike in plan.strikes)
        assert ("bounded_answers" in {claim.name for claim in plan.checkers}) is held


@pytest.mark.parametrize("number", LEVELS)
def test_each_spell_leaves_room_for_the_recovery(number: int) -> None:
    """The circuit can open, be probed, and close before the next spell and before the end."""
    kinds = set()
    for seed in SEEDS:
        plan = SCENARIOS["circuit-breaker"].plan(level(number), seed)
        chaos = plan.phase("chaos")
        assert chaos is not None
        assert len(plan.strikes) == SPELLS[number]
        ends = [strike.at_s + (strike.for_s or 0.0) for strike in plan.strikes]
        begins = [strike.at_s for strike in plan.strikes[1:]]
        for end, begin in zip(ends, [*begins, chaos.limit_s], strict=True):
            assert begin - end >= ROOM_S - 0.01
        for strike in plan.strikes:
            assert HOLD_S[0] <= (strike.for_s or 0.0) <= HOLD_S[1]
            kinds.add(strike.fault.args["mode"])
        assert plan.strikes[0].fault.args["mode"] != "slow"
    assert kinds == set(KINDS[number])
