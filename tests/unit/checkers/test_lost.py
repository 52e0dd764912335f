"""lost: accepted, never finished, and not in the dead-letter queue either."""

from __future__ import annotations

import pytest

from capsize.checkers.lost import Lost
from capsize.core.verdict import Verdict
from support.histories import Past


def test_a_task_that_was_never_run_is_lost() -> None:
    """A task still pending after the run had drained is lost, and the finding tells its life."""
    past = Past("worker-1").submit(1.0, "T1", "T2").runs(1.1, 2.0, "worker-1", "T1")
    past.reported(9.0, "completed", "T1").reported(9.0, "pending", "T2")
    result = Lost().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert [(finding.anomaly, finding.task) for finding in result.findings] == [("lost", "T2")]
    assert result.findings[0].story == (
        "   1.000 client: submit acknowledged",
        "   9.000 the service's last word: pending",
    )
    assert result.measures["lost"] == 1


def test_finished_and_dead_lettered_tasks_are_not_lost() -> None:
    """Finished at the witness or in the dead-letter queue: accounted for."""
    past = Past("worker-1").submit(1.0, "T1", "T2").runs(1.1, 2.0, "worker-1", "T1")
    past.reported(9.0, "completed", "T1").reported(9.0, "failed", "T2")
    result = Lost().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["dead_lettered"] == 1


def test_without_an_audit_nothing_is_known() -> None:
    """A run without the service's last word never passes, even if every task finished."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1")
    assert Lost().check(past.history()).verdict is Verdict.UNKNOWN


def test_an_unfinished_task_without_a_last_word_is_unknown() -> None:
    """One task that the audit left out and that nobody saw finish leaves the claim open."""
    past = Past("worker-1").submit(1.0, "T1", "T2").runs(1.1, 2.0, "worker-1", "T1")
    past.reported(9.0, "completed", "T1")
    result = Lost().check(past.history())
    assert result.verdict is Verdict.UNKNOWN
    assert result.measures["without_last_word"] == 1


def test_no_accepted_task_is_no_evidence() -> None:
    """A run in which every submission failed proves nothing."""
    assert Lost().check(Past().submit(1.0, "T1", outcome="info").history()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_run_cut_short_by_design_keeps_what_is_waiting(status: str) -> None:
    """At level 6 not all can be done: what the service still lists is kept."""
    past = Past("worker-1").submit(1.0, "T1").reported(9.0, status, "T1")
    assert Lost(drained=True).check(past.history()).verdict is Verdict.FAIL
    result = Lost(drained=False).check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["kept"] == 1


def test_an_unknown_task_is_lost_in_any_case() -> None:
    """A task that the service does not know is lost, finished or not, drained or not."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").reported(9.0, "missing", "T1")
    assert Lost(drained=False).check(past.history()).verdict is Verdict.FAIL


def test_a_deleted_task_is_not_lost() -> None:
    """A client that deletes a task expects it to be unknown afterwards."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1")
    past.op(3.0, "delete", task="T1").reported(9.0, "missing", "T1")
    assert Lost().check(past.history()).verdict is Verdict.PASS


def test_cancelled_is_fine_only_when_somebody_asked() -> None:
    """A service that cancels accepted work by itself loses it."""
    asked = Past("worker-1").submit(1.0, "T1").op(1.5, "cancel", task="T1").reported(9.0, "cancelled", "T1")
    assert Lost().check(asked.history()).verdict is Verdict.PASS
    unasked = Past("worker-1").submit(1.0, "T1").reported(9.0, "cancelled", "T1")
    assert Lost().check(unasked.history()).verdict is Verdict.FAIL


def test_completed_without_a_finish_is_left_to_misreported() -> None:
    """What the service claims to have done has one name only."""
    past = Past("worker-1").submit(1.0, "T1").reported(9.0, "completed", "T1")
    assert Lost().check(past.history()).findings == ()


def test_a_repeated_submission_is_one_task() -> None:
    """A try whose answer was lost and its repetition with the same key make one accepted task."""
    past = Past("worker-1").submit(1.0, "T1", outcome="info").submit(1.5, "T1").submit(1.6, "T1")
    past.runs(1.7, 2.0, "worker-1", "T1").reported(9.0, "completed", "T1")
    assert Lost().check(past.history()).measures["accepted"] == 1
