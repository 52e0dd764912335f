"""misreported: the service and the witness contradict each other."""

from __future__ import annotations

import pytest

from capsize.checkers.misreported import Misreported
from capsize.core.verdict import Verdict
from support.histories import Past


def check(past: Past) -> Verdict:
    """Return what the checker says."""
    return Misreported().check(past.history()).verdict


def test_completed_without_an_effect_is_misreported() -> None:
    """The service says done; nobody saw it done."""
    past = Past("worker-1").submit(1.0, "T1").starts(1.1, "worker-1", "T1").reported(9.0, "completed", "T1")
    result = Misreported().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "misreported"
    assert result.findings[0].task == "T1"


def test_agreement_passes() -> None:
    """Finished, recorded, completed."""
    past = (
        Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").reported(9.0, "completed", "T1")
    )
    assert check(past) is Verdict.PASS


def test_without_last_words_it_is_unknown() -> None:
    """Nothing to compare with."""
    assert check(Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1")) is Verdict.UNKNOWN


@pytest.mark.parametrize("status", ["pending", "running", "failed", "cancelled", "missing"])
def test_recorded_work_that_is_not_called_completed_is_misreported(status: str) -> None:
    """A confirmed commit that is gone."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").reported(9.0, status, "T1")
    assert check(past) is Verdict.FAIL


def test_finished_but_never_recorded_may_be_pending() -> None:
    """The effect without its record will be delivered again: no contradiction."""
    past = Past("worker-1").submit(1.0, "T1").starts(1.1, "worker-1", "T1")
    past.says(2.0, "worker-1", "finished", "T1").kill(2.001, "worker-1", back=2.4).reported(
        2.5, "running", "T1"
    )
    assert check(past) is Verdict.PASS


def test_recording_before_the_effect_is_misreported() -> None:
    """A service that commits first gets away with it until its worker dies in between; the order tells it."""
    past = Past("worker-1").submit(1.0, "T1").starts(1.1, "worker-1", "T1")
    past.says(1.9, "worker-1", "recorded", "T1").says(2.0, "worker-1", "finished", "T1")
    assert check(past.reported(9.0, "completed", "T1")) is Verdict.FAIL


def test_a_requeue_after_the_record_explains_another_status() -> None:
    """A client asked for it again."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").op(3.0, "retry", task="T1")
    assert check(past.reported(9.0, "pending", "T1")) is Verdict.PASS


def test_a_task_may_be_deleted_before_its_record_is_announced() -> None:
    """The commit is seen by the client sooner than its confirmation reaches the worker; a delete before the finish is none."""
    for deleted, verdict in ((2.5, Verdict.PASS), (1.5, Verdict.FAIL)):
        past = Past("worker-1").submit(1.0, "T1").starts(1.1, "worker-1", "T1")
        past.says(2.0, "worker-1", "finished", "T1").says(3.0, "worker-1", "recorded", "T1")
        past.op(deleted, "delete", task="T1").reported(9.0, "missing", "T1")
        assert Misreported().check(past.history()).verdict is verdict
