"""resurrected: a task that ran after it was over."""

from __future__ import annotations

from capsize.checkers.resurrected import Resurrected
from capsize.core.verdict import Verdict
from support.histories import Past


def check(past: Past) -> Verdict:
    """Return what the checker says."""
    return Resurrected().check(past.history()).verdict


def cancelled() -> Past:
    """Return a past in which T1 is cancelled at 2.0."""
    return Past("worker-1").submit(1.0, "T1").op(2.0, "cancel", task="T1")


def test_a_start_after_a_confirmed_cancel_is_a_resurrection() -> None:
    """Cancelled means that it does not run any more."""
    result = Resurrected().check(cancelled().starts(3.0, "worker-1", "T1").history())
    assert result.verdict is Verdict.FAIL
    assert [(finding.anomaly, finding.task) for finding in result.findings] == [("resurrected", "T1")]


def test_a_start_before_the_cancel_is_none() -> None:
    """It was running, and is given up."""
    past = cancelled().starts(1.5, "worker-1", "T1").says(2.3, "worker-1", "abandoned", "T1")
    assert check(past) is Verdict.PASS


def test_a_silent_witness_is_unknown() -> None:
    """Nothing heard, nothing known."""
    assert check(cancelled()) is Verdict.UNKNOWN


def test_a_start_that_crossed_the_cancel_is_none() -> None:
    """The claim came before and its announcement after: within the grace, or its worker was frozen."""
    assert check(cancelled().starts(2.2, "worker-1", "T1")) is Verdict.PASS
    assert check(cancelled().pause(1.9, 7.0, "worker-1").starts(7.1, "worker-1", "T1")) is Verdict.PASS


def test_an_unconfirmed_cancel_proves_nothing() -> None:
    """Nobody knows whether it took effect."""
    past = Past("worker-1").submit(1.0, "T1").op(2.0, "cancel", "info", task="T1")
    assert check(past.starts(3.0, "worker-1", "T1")) is Verdict.PASS


def test_a_requeue_allows_another_run() -> None:
    """A client brought it back on purpose."""
    past = cancelled().op(2.5, "requeue", task="T1").starts(3.0, "worker-1", "T1")
    assert check(past) is Verdict.PASS


def test_a_start_after_the_last_word_is_a_resurrection() -> None:
    """The service called it failed for good, and then ran it."""
    past = Past("worker-1").submit(1.0, "T1").reported(5.0, "failed", "T1").starts(6.0, "worker-1", "T1", 2)
    assert check(past) is Verdict.FAIL
