"""pickup: accepted work is begun soon."""

from __future__ import annotations

import pytest

from capsize.checkers.pickup import Pickup
from capsize.core.verdict import Verdict
from support.histories import Past


def waited(seconds: float, count: int = 40) -> Past:
    """Return a past in which every task waited so long for its first run."""
    past = Past("worker-1").phase("chaos", 0.0, 100.0)
    for number in range(count):
        at = 1.0 + number / 10
        past.submit(at, f"T{number}").runs(at + seconds, at + seconds + 0.1, "worker-1", f"T{number}")
    return past


def test_a_long_wait_fails() -> None:
    """Six seconds, five are allowed."""
    result = Pickup(p99_max_s=5.0).check(waited(6.0).history())
    assert result.verdict is Verdict.FAIL


def test_a_short_wait_passes_with_its_figures() -> None:
    """From the acknowledgement to the first start."""
    result = Pickup(p99_max_s=5.0).check(waited(0.5).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["pickup_p50_s"] == pytest.approx(0.5)
    assert result.measures["tasks"] == 40


def test_tasks_that_are_never_begun_wait_to_the_end() -> None:
    """Nobody ever took them: that is no short wait."""
    past = Past("worker-1").phase("chaos", 0.0, 100.0).submit(1.0, *(f"T{n}" for n in range(40)))
    result = Pickup(p99_max_s=5.0).check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.measures["pickup_max_s"] == 99.0


def test_few_tasks_are_unknown() -> None:
    """A 99th percentile of five is none."""
    assert Pickup(p99_max_s=5.0).check(waited(6.0, count=5).history()).verdict is Verdict.UNKNOWN


def test_a_task_that_was_cancelled_in_time_waits_for_nobody() -> None:
    """Confirmed before its first run, nothing is left to begin; a cancel that nobody confirmed changes nothing."""
    past = waited(0.5).submit(2.0, "C").op(2.1, "cancel", task="C")
    assert Pickup(p99_max_s=5.0).check(past.history()).measures["pickup_max_s"] == pytest.approx(0.5)
    past = waited(0.5).submit(2.0, "C").op(2.1, "cancel", "info", task="C")
    assert Pickup(p99_max_s=5.0).check(past.history()).verdict is Verdict.FAIL
