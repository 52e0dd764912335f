"""spread: work was shared among the workers."""

from __future__ import annotations

from capsize.checkers.spread import Spread
from capsize.core.verdict import Verdict
from support.histories import Past


def shared(*counts: int) -> Past:
    """Return a past of 20 s in which the workers do so many runs, each worker evenly over the time."""
    past = Past(*(f"worker-{number + 1}" for number in range(len(counts))))
    for number, count in enumerate(counts):
        for run in range(count):
            begin = 1.0 + run * 20.0 / count
            past.runs(begin, begin + 0.5, f"worker-{number + 1}", f"T{number}-{run}")
    return past


def test_a_worker_that_does_next_to_nothing_fails() -> None:
    """One of twenty where ten would be even."""
    result = Spread().check(shared(19, 1).history())
    assert result.verdict is Verdict.FAIL
    assert "worker-2 did 1 of 20 runs" in result.findings[0].message


def test_a_worker_that_does_nothing_at_all_fails() -> None:
    """It never announced a run; that it is a worker is known from its service."""
    assert Spread().check(shared(10, 10, 0).history()).verdict is Verdict.FAIL


def test_an_uneven_share_that_is_large_enough_passes() -> None:
    """Workers need not be equal."""
    result = Spread().check(shared(12, 8).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["runs_by_worker"] == {"worker-1": 12, "worker-2": 8}


def test_few_runs_are_unknown() -> None:
    """Chance decides who gets the odd one."""
    assert Spread().check(shared(3, 1).history()).verdict is Verdict.UNKNOWN


def test_one_worker_alone_is_unknown() -> None:
    """Nobody to share with."""
    assert Spread().check(shared(30).history()).verdict is Verdict.UNKNOWN


def test_a_worker_that_was_down_or_frozen_is_not_expected_to_work() -> None:
    """Its even share shrinks with its time."""
    down = shared(18, 2).kill(3.0, "worker-2", back=19.0)
    frozen = shared(18, 2).pause(3.0, 19.0, "worker-2")
    assert Spread().check(down.history()).findings == ()
    assert Spread().check(frozen.history()).findings == ()
