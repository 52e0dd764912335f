"""The difficulty levels are the guide's figures, and overrides that no run could have are refused."""

from __future__ import annotations

import pytest

from capsize.core.errors import UsageError
from capsize.core.levels import LEVELS, level

GUIDE = {
    # level: workers, tasks, delay, deadline, interval, completion
    1: (2, 10, 2.0, 30.0, (20.0, 30.0), 0.90),
    2: (2, 15, 3.0, 45.0, (15.0, 25.0), 0.85),
    3: (3, 25, 3.0, 60.0, (10.0, 15.0), 0.80),
    4: (3, 35, 4.0, 90.0, (5.0, 10.0), 0.75),
    5: (4, 30, 5.0, 80.0, (3.0, 7.0), 0.60),
    6: (2, 40, 6.0, 60.0, (2.0, 5.0), 0.20),
}


@pytest.mark.parametrize("number", GUIDE)
def test_the_levels_are_those_of_the_guide(number: int) -> None:
    """Each level has the workers, tasks, delay, deadline, interval and completion that the guide gives."""
    found = LEVELS[number]
    assert GUIDE[number] == (
        found.workers,
        found.tasks,
        found.task_delay_s,
        found.deadline_s,
        found.interval_s,
        found.completion_min,
    )


def test_level_six_is_impossible_by_design() -> None:
    """Level 6 asks for twice the work that its deadline allows, and expects at most half of it."""
    assert LEVELS[6].work_per_worker_s == 2 * LEVELS[6].deadline_s
    assert LEVELS[6].completion_max == 0.50


def test_time_scale_shrinks_every_duration_and_nothing_else() -> None:
    """A scale of 0.1 makes delay, deadline and interval ten times shorter and leaves counts and shares."""
    scaled = level(3, time_scale=0.1)
    assert scaled.task_delay_s == pytest.approx(0.3)
    assert scaled.deadline_s == pytest.approx(6.0)
    assert scaled.interval_s == pytest.approx((1.0, 1.5))
    assert (scaled.workers, scaled.tasks, scaled.completion_min) == (3, 25, 0.80)
    assert scaled.scaled(30.0) == pytest.approx(3.0)


def test_an_override_replaces_the_level_s_figure() -> None:
    """A flag's figure stands in the level that the scenario sees."""
    assert level(1, workers=5, task_delay_s=0.5).work_per_worker_s == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"workers": 0}, "--workers"),
        ({"tasks": 0}, "--tasks"),
        ({"task_delay_s": -1.0}, "--task-delay"),
        ({"deadline_s": 0.0}, "--deadline"),
        ({"interval_s": (5.0, 3.0)}, "--chaos-interval"),
        ({"interval_s": (0.0, 3.0)}, "--chaos-interval"),
        ({"time_scale": 0.0}, "--time-scale"),
    ],
)
def test_figures_that_no_run_could_have_are_refused(bad: dict[str, object], named: str) -> None:
    """The message names the flag that is wrong."""
    with pytest.raises(UsageError, match=named):
        level(1, **bad)  # type: ignore[arg-type]


def test_a_level_that_does_not_exist_is_refused() -> None:
    """Level 7 is a usage error that says which levels there are."""
    with pytest.raises(UsageError, match="from 1 to 6"):
        level(7)
