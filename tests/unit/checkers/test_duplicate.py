"""duplicate: finished twice, and no fault between the effect and its record to excuse it."""

from __future__ import annotations

from capsize.checkers.duplicate import Duplicate
from capsize.core.verdict import Verdict
from support.histories import Past

TWO = ("worker-1", "worker-2")


def test_two_finishes_are_a_duplicate() -> None:
    """A task recorded and then run again is a duplicate, and the finding names both workers."""
    past = Past(*TWO).submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1").runs(4.0, 5.0, "worker-2", "T1", 2)
    result = Duplicate().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert [finding.task for finding in result.findings] == ["T1"]
    assert "worker-1" in result.findings[0].message
    assert "worker-2" in result.findings[0].message


def test_finishing_once_after_a_lost_run_is_fine() -> None:
    """A retry is no duplicate."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").kill(1.5, "worker-1", back=2.0)
    past.runs(5.0, 6.0, "worker-2", "T1", 2)
    result = Duplicate().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["redelivered"] == 0


def test_a_silent_witness_is_unknown() -> None:
    """Without a single announcement nothing can be said."""
    assert Duplicate().check(Past(*TWO).submit(1.0, "T1").history()).verdict is Verdict.UNKNOWN


def test_a_worker_killed_between_effect_and_record_is_a_redelivery() -> None:
    """At-least-once delivery is counted, not condemned."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
    past.kill(2.001, "worker-1", back=2.5).runs(5.0, 6.0, "worker-2", "T1", 2)
    result = Duplicate().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["redelivered"] == 1


def test_a_database_away_between_effect_and_record_is_a_redelivery() -> None:
    """The record could not be made because its database was stopped."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
    past.strike("stop", "postgres", begin=1.9, landed=1.95, healing=4.0, healed=4.2)
    past.runs(6.0, 7.0, "worker-2", "T1", 2)
    result = Duplicate().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["redelivered"] == 1


def test_a_database_that_is_just_back_is_an_excuse_too() -> None:
    """The worker had not found it again when it finished, and its lease ran out before it did."""
    past = Past(*TWO).starts(0.5, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
    past.strike("stop", "postgres", begin=0.9, landed=0.9, healing=1.9, healed=1.9)
    past.says(2.2, "worker-1", "abandoned", "T1").runs(2.3, 3.0, "worker-2", "T1", 2)
    assert Duplicate().check(past.history()).measures["redelivered"] == 1


def test_the_excuse_needs_a_fault_at_the_right_time() -> None:
    """A database outage that was over before the finish, or came after the next start, excuses nothing."""
    for begin, healed in ((0.5, 0.9), (6.5, 7.5)):
        past = Past(*TWO).starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
        past.strike("stop", "postgres", begin=begin, landed=begin, healing=healed, healed=healed)
        past.runs(6.0, 7.0, "worker-2", "T1", 2)
        assert Duplicate().check(past.history()).verdict is Verdict.FAIL


def test_the_excuse_needs_a_fault_on_the_right_worker() -> None:
    """Another worker's death explains nothing."""
    past = Past(*TWO, "worker-3").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
    past.kill(2.001, "worker-3", back=2.5).runs(5.0, 6.0, "worker-2", "T1", 2)
    assert Duplicate().check(past.history()).verdict is Verdict.FAIL


def test_a_recorded_finish_is_never_excused() -> None:
    """What was committed and run again nevertheless is a defect, whatever fell over meanwhile."""
    past = Past(*TWO).runs(1.1, 2.0, "worker-1", "T1").kill(2.1, "worker-1", back=2.5)
    past.runs(5.0, 6.0, "worker-2", "T1", 2)
    assert Duplicate().check(past.history()).verdict is Verdict.FAIL


def test_a_frozen_worker_that_finishes_after_all_is_a_duplicate() -> None:
    """It did not notice that its lease was gone: the freeze is the test, not an excuse."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").pause(1.5, 8.0, "worker-1")
    past.runs(5.0, 6.0, "worker-2", "T1", 2).says(8.1, "worker-1", "finished", "T1", 1)
    assert Duplicate().check(past.history()).verdict is Verdict.FAIL


def test_an_announcement_delivered_twice_counts_once() -> None:
    """A worker repeats what it is not sure to have delivered; that is no second run."""
    past = Past(*TWO).runs(1.1, 2.0, "worker-1", "T1").says(2.3, "worker-1", "finished", "T1")
    assert Duplicate().check(past.history()).verdict is Verdict.PASS


def test_the_same_worker_and_attempt_twice_over_is_a_duplicate() -> None:
    """Two starts and two finishes are two runs, also under one attempt number."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").starts(1.1, "worker-1", "T1")
    past.says(2.0, "worker-1", "finished", "T1").says(2.1, "worker-1", "finished", "T1")
    assert Duplicate().check(past.history()).verdict is Verdict.FAIL


def test_a_requeue_between_the_finishes_makes_two_jobs() -> None:
    """A client that asks for a task again gets it again."""
    past = Past(*TWO).runs(1.1, 2.0, "worker-1", "T1").op(3.0, "requeue", task="T1")
    past.runs(4.0, 5.0, "worker-2", "T1", 2)
    assert Duplicate().check(past.history()).verdict is Verdict.PASS


def test_a_service_that_never_announces_records_gets_a_second() -> None:
    """Without ``recorded`` the fault must follow the finish at once to excuse the second run."""
    for killed, verdict in ((2.4, Verdict.PASS), (3.4, Verdict.FAIL)):
        past = Past(*TWO).starts(1.0, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
        past.kill(killed, "worker-1", back=4.0).starts(6.0, "worker-2", "T1", 2)
        past.says(7.0, "worker-2", "finished", "T1", 2)
        assert Duplicate().check(past.history()).verdict is verdict
