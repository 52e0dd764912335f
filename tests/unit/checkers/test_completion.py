"""completion: how much of the accepted work was done in time."""

from __future__ import annotations

from capsize.checkers.completion import Completion
from capsize.core.verdict import Verdict
from support.histories import Past


def past(done: int, *, of: int = 10, late: int = 0) -> Past:
    """Return a past in which so many of the tasks finish, the last ones of them late (after 30 s)."""
    tasks = [f"T{number}" for number in range(of)]
    made = Past("worker-1").phase("chaos", 1.0, 60.0).submit(1.5, *tasks)
    for number, task in enumerate(tasks[:done]):
        begin = 40.0 if number >= done - late else 2.0
        made.runs(begin + number, begin + number + 0.9, "worker-1", task)
    return made


def test_too_little_fails_and_says_how_much() -> None:
    """Eight of ten where nine are required."""
    result = Completion(min=0.9, deadline_s=30.0).check(past(8).history())
    assert result.verdict is Verdict.FAIL
    assert "80.0% (8 of 10) finished in time; at least 90% is required" in result.findings[0].message


def test_enough_passes_with_its_figures() -> None:
    """The interval comes along, since ten tasks are few."""
    result = Completion(min=0.9, deadline_s=30.0).check(past(9).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["completion_ratio"] == 0.9
    assert result.measures["accepted"] == 10
    assert result.measures["completion_low"] < 0.9 < result.measures["completion_high"]


def test_nothing_accepted_is_unknown() -> None:
    """No share of nothing."""
    assert Completion().check(Past().submit(1.0, "T1", outcome="fail").history()).verdict is Verdict.UNKNOWN


def test_late_finishes_do_not_count() -> None:
    """Completed and in time are two figures."""
    result = Completion(min=0.9, deadline_s=30.0).check(past(10, late=3).history())
    assert result.verdict is Verdict.FAIL
    assert (result.measures["completed"], result.measures["in_time"]) == (10, 7)
    assert Completion(min=0.9).check(past(10, late=3).history()).verdict is Verdict.PASS


def test_too_much_fails_where_the_workload_was_meant_to_be_impossible() -> None:
    """Level 6 with every task done is not level 6."""
    result = Completion(min=0.2, max=0.5, deadline_s=30.0).check(past(10).history())
    assert result.verdict is Verdict.FAIL
    assert "meant to be impossible" in result.findings[0].message
    assert Completion(min=0.2, max=0.5).check(past(4).history()).verdict is Verdict.PASS


def test_a_repeated_finish_counts_once() -> None:
    """A task is a task, however often it was delivered."""
    twice = past(5).runs(50.0, 51.0, "worker-1", "T0", 2)
    assert Completion(min=0.5).check(twice.history()).measures["completed"] == 5
