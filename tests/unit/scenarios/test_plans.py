"""Plans: the same seed gives the same plan, every part exists, and a perfect service can pass."""

from __future__ import annotations

from itertools import pairwise

import pytest

from capsize.core.levels import LEVELS, level
from capsize.rundir import encode
from capsize.runner.parts import Parts
from capsize.scenarios import SCENARIOS
from capsize.scenarios.building import REDELIVERY_S
from capsize.scenarios.feasible import ideal_completion

EVERY = [(name, number) for name in SCENARIOS for number in LEVELS]


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_the_same_seed_gives_the_same_plan_byte_for_byte(name: str, number: int) -> None:
    """Two plans of one scenario, level and seed are identical files; another seed draws another plan."""
    plan = SCENARIOS[name].plan
    assert encode(plan(level(number), 5)) == encode(plan(level(number), 5))
    if plan(level(number), 5).strikes:
        assert plan(level(number), 5).strikes != plan(level(number), 6).strikes


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_every_part_of_every_plan_can_be_made(name: str, number: int) -> None:
    """No plan names a fault, load, probe or checker that does not exist or does not take its arguments."""
    parts = Parts.of(SCENARIOS[name].plan(level(number), 1))
    assert parts.probes


@pytest.mark.parametrize("number", LEVELS)
def test_strikes_keep_the_level_s_interval(number: int) -> None:
    """The time between two strikes on workers lies within the level's bounds, and the first comes early."""
    chosen = level(number)
    for seed in range(20):
        times = [strike.at_s for strike in SCENARIOS["multi-worker-chaos"].plan(chosen, seed).strikes]
        assert times[0] < chosen.task_delay_s
        low, high = chosen.interval_s
        assert all(low - 0.001 <= b - a <= high + 0.001 for a, b in pairwise(times))


@pytest.mark.parametrize("name", ["multi-worker-chaos", "worker-restart"])
@pytest.mark.parametrize("number", LEVELS)
def test_a_perfect_service_passes_every_plan(name: str, number: int) -> None:
    """No seed draws a plan under which even a service without fault would miss the completion criterion."""
    chosen = level(number)
    for seed in range(60):
        strikes = SCENARIOS[name].plan(chosen, seed).strikes
        share = ideal_completion(chosen, strikes, restart_s=1.0, redelivery_s=REDELIVERY_S)
        assert chosen.completion_min <= share <= chosen.completion_max


def test_the_ideal_service_without_strikes() -> None:
    """Undisturbed, two workers finish what fits into the deadline: 2 x 60 s / 6 s = 20 of 40 tasks."""
    assert ideal_completion(level(6), (), restart_s=1.0, redelivery_s=3.0) == pytest.approx(0.5)
    assert ideal_completion(level(1), (), restart_s=1.0, redelivery_s=3.0) == 1.0


def test_time_scale_shrinks_the_plan() -> None:
    """Scaled plans have the same strikes, sooner."""
    whole = SCENARIOS["db-failure"].plan(level(3), 9).strikes
    tenth = SCENARIOS["db-failure"].plan(level(3, time_scale=0.1), 9).strikes
    assert [strike.fault for strike in whole] == [strike.fault for strike in tenth]
    for slow, quick in zip(whole, tenth, strict=True):
        assert quick.at_s == pytest.approx(slow.at_s / 10, abs=0.01)
