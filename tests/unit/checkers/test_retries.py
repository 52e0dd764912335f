"""retries: evidence that work survived its worker."""

from __future__ import annotations

from capsize.checkers.retries import Retries
from capsize.core.verdict import Verdict
from support.histories import Past

TWO = ("worker-1", "worker-2")
REQUIRED = Retries(required=True)


def killed() -> Past:
    """Return a past in which worker-1 is killed inside T1."""
    return Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").kill(1.5, "worker-1", back=2.0)


def test_a_lost_run_that_nobody_makes_up_for_fails() -> None:
    """The strike cost a run, and the task was not begun again."""
    result = REQUIRED.check(killed().history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "retries"


def test_a_lost_run_that_is_run_again_passes() -> None:
    """One retry, after a loss."""
    result = REQUIRED.check(killed().runs(5.0, 6.0, "worker-2", "T1", 2).history())
    assert result.verdict is Verdict.PASS
    assert (result.measures["retries"], result.measures["after_loss"]) == (1, 1)
    assert result.measures["struck_and_run_again"] == 1


def test_strikes_on_idle_workers_prove_nothing() -> None:
    """Nothing was lost, so nothing could be shown."""
    past = Past(*TWO).submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").kill(3.0, "worker-1", back=3.5)
    assert REQUIRED.check(past.history()).verdict is Verdict.UNKNOWN
    assert Retries().check(past.history()).verdict is Verdict.PASS


def test_a_run_handed_back_counts_and_a_failed_attempt_does_not() -> None:
    """Losing the worker and failing the task are counted apart."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(2.0, "worker-1", "abandoned", "T1")
    past.runs(2.1, 3.0, "worker-2", "T1", 2)
    past.starts(1.0, "worker-2", "T2").says(2.0, "worker-2", "failed", "T2").runs(
        3.1, 4.0, "worker-2", "T2", 2
    )
    measures = Retries().check(past.history()).measures
    assert (measures["retries"], measures["after_abandon"], measures["after_failure"]) == (1, 1, 1)


def test_running_a_finished_task_again_is_no_retry() -> None:
    """That is a redelivery or a duplicate; it must not pass as evidence of survival."""
    past = Past(*TWO).runs(1.0, 2.0, "worker-1", "T1").runs(3.0, 4.0, "worker-2", "T1", 2)
    assert Retries().check(past.history()).measures["retries"] == 0
