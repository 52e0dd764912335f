"""Scenarios with tables of their own: the guide's figures, and the flags that replace them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from capsize.core.experiment import Experiment, Spec
from capsize.core.levels import LEVELS, level
from capsize.scenarios import SCENARIOS
from capsize.scenarios.dynamic_scaling import WORK, dealt
from capsize.scenarios.recovery import CYCLES
from capsize.scenarios.task_flood import FLOODS, TASK_S

RESET_S = 10.0
"""A supervisor that saw an instance up for so long starts it again without a growing delay."""


def loads(experiment: Experiment) -> list[Spec]:
    """Return the task loads."""
    return [plan.load for plan in experiment.loads if plan.load.name == "tasks"]


@pytest.mark.parametrize(
    ("number", "tasks", "seconds", "deadline"),
    [(1, 75, 2.0, 300.0), (3, 120, 3.0, 240.0), (6, 225, 4.0, 180.0)],
)
def test_scaling_has_the_guide_s_figures(number: int, tasks: int, seconds: float, deadline: float) -> None:
    """As the guide has them, in total over the bursts."""
    experiment = SCENARIOS["dynamic-scaling"].plan(level(number), 1)
    assert sum(load.args["count"] for load in loads(experiment)) == tasks
    assert {load.args["seconds"] for load in loads(experiment)} == {seconds}
    assert next(c for c in experiment.checkers if c.name == "late").args["deadline_s"] == deadline
    assert experiment.replicas["worker"] == 5


@pytest.mark.parametrize("number", LEVELS)
def test_scaling_follows_the_guide_s_time_line(number: int) -> None:
    """Down to 2 at 60 s, then one more every 10 s from 120 s on, each with tasks that come just before."""
    experiment = SCENARIOS["dynamic-scaling"].plan(level(number), 4)
    assert [strike.fault.args["to"] for strike in experiment.strikes] == [2, 3, 4, 5]
    assert [10 * (strike.at_s // 10) for strike in experiment.strikes] == [60, 120, 130, 140]
    begins = [load.args["after_s"] for load in loads(experiment)]
    assert begins[1:] == [pytest.approx(strike.at_s - 0.5) for strike in experiment.strikes]


def test_each_level_of_scaling_is_harder_than_the_one_before() -> None:
    """More work in less time."""
    needs = [WORK[n].tasks * WORK[n].task_s / WORK[n].deadline_s for n in sorted(WORK)]
    assert needs == sorted(needs)


def test_flags_replace_the_table_of_scaling() -> None:
    """Also on a scaled run, and only those that were given."""
    chosen = level(3, tasks=50, workers=4, deadline_s=100.0, time_scale=0.5)
    experiment = SCENARIOS["dynamic-scaling"].plan(chosen, 1)
    assert sum(load.args["count"] for load in loads(experiment)) == 50
    assert {load.args["seconds"] for load in loads(experiment)} == {1.5}
    assert experiment.replicas["worker"] == 4
    assert [strike.fault.args["to"] for strike in experiment.strikes] == [2, 3, 4]
    assert next(c for c in experiment.checkers if c.name == "late").args["deadline_s"] == 50.0


def test_one_worker_can_not_be_scaled_down() -> None:
    """Then there is no step, and the plan says so by having no strikes."""
    experiment = SCENARIOS["dynamic-scaling"].plan(level(1, workers=1), 1)
    assert experiment.strikes == ()


def test_tasks_are_dealt_out_without_a_rest() -> None:
    """Whatever their number, and however few bursts there are."""
    for tasks in (1, 7, 75, 225):
        for bursts in (1, 3, 5, 9):
            counts = dealt(tasks, bursts)
            assert (sum(counts), len(counts)) == (tasks, bursts)


@pytest.mark.parametrize("number", LEVELS)
def test_a_flood_is_more_than_the_workers_can_do(number: int) -> None:
    """At least a fifth more, at every level, or no queue builds up."""
    flood = FLOODS[number]
    assert flood.rate >= 1.2 * level(number).workers * flood.concurrency / TASK_S


def test_flags_replace_the_table_of_the_flood() -> None:
    """The number of tasks and their length; the rate stays."""
    experiment = SCENARIOS["task-flood"].plan(level(1, tasks=240, task_delay_s=0.2), 1)
    (load,) = loads(experiment)
    assert (load.args["count"], load.args["seconds"], load.args["rate"]) == (240, 0.2, FLOODS[1].rate)
    chaos = experiment.phase("chaos")
    assert chaos is not None
    assert chaos.limit_s == 2.0


@pytest.mark.parametrize("number", LEVELS)
def test_recovery_strikes_each_service_once_a_cycle_and_not_too_soon_again(number: int) -> None:
    """Otherwise the supervisor's own growing delay would be what is measured."""
    strikes = SCENARIOS["recovery"].plan(level(number), 3).strikes
    for service in ("api", "worker", "postgres"):
        times = [strike.at_s for strike in strikes if strike.target.service == service]
        assert len(times) == CYCLES[number].number
        assert min(b - a for a, b in pairwise(times)) > RESET_S + 1.0
