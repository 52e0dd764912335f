"""overlap: two workers inside one task at once."""

from __future__ import annotations

from capsize.checkers.overlap import Overlap
from capsize.core.verdict import Verdict
from support.histories import Past

TWO = ("worker-1", "worker-2")


def check(past: Past) -> Verdict:
    """Return what the checker says."""
    return Overlap().check(past.history()).verdict


def test_two_open_runs_overlap() -> None:
    """A second worker inside while the first has not left: the broken lease has its own name."""
    past = Past(*TWO).submit(0.9, "T1").starts(1.0, "worker-1", "T1").runs(1.5, 2.5, "worker-2", "T1", 2)
    past.says(3.0, "worker-1", "finished", "T1")
    result = Overlap().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "worker-2 began attempt 2 at 1.500 s while worker-1 was inside" in result.findings[0].message
    assert "   1.500 worker-2 started attempt 2" in result.findings[0].story


def test_a_run_after_the_first_worker_died_is_no_overlap() -> None:
    """A killed process is not inside any more."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").kill(1.5, "worker-1", back=2.0)
    assert check(past.runs(4.6, 5.0, "worker-2", "T1", 2)) is Verdict.PASS


def test_a_silent_witness_is_unknown() -> None:
    """Without announcements there is no evidence."""
    assert check(Past(*TWO).submit(1.0, "T1")) is Verdict.UNKNOWN


def test_a_blow_ends_a_run_before_its_process_is_seen_gone() -> None:
    """The supervisor may see a death late; a task taken over meanwhile by a quick service is no overlap."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").strike("kill", "worker-1", begin=1.5, landed=1.8)
    past.exits(1.8, "worker-1", back=2.2).runs(1.6, 2.0, "worker-2", "T1", 2)
    assert check(past) is Verdict.PASS


def test_a_graceful_stop_does_not_end_a_run_at_once() -> None:
    """A worker that was asked to stop works on until it is gone."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").strike("terminate", "worker-1", begin=1.5, landed=9.0)
    past.exits(9.0, "worker-1", back=9.5, code=0).runs(4.0, 5.0, "worker-2", "T1", 2)
    assert check(past) is Verdict.FAIL


def test_a_word_from_the_dead_is_not_the_next_process() -> None:
    """A start that was under way when its worker died is stamped after the death; that run is over."""
    past = Past(*TWO).strike("kill", "worker-1", begin=1.5, landed=1.51)
    past.exits(1.51, "worker-1", back=2.2).starts(1.53, "worker-1", "T1")
    assert check(past.runs(4.6, 5.0, "worker-2", "T1", 2)) is Verdict.PASS


def test_a_frozen_worker_is_not_inside() -> None:
    """It is frozen past its lease, wakes, and gives the run up within the grace period."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").pause(1.5, 8.0, "worker-1")
    past.runs(5.0, 9.5, "worker-2", "T1", 2).says(8.4, "worker-1", "abandoned", "T1")
    assert check(past) is Verdict.PASS


def test_a_thawed_worker_that_goes_on_overlaps() -> None:
    """Giving up seconds after waking is too late."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").pause(1.5, 8.0, "worker-1")
    past.runs(5.0, 9.5, "worker-2", "T1", 2).says(9.4, "worker-1", "abandoned", "T1")
    assert check(past) is Verdict.FAIL


def test_a_thawed_worker_that_finishes_overlaps() -> None:
    """A finish after somebody else began is never let pass."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").pause(1.5, 8.0, "worker-1")
    past.runs(5.0, 6.0, "worker-2", "T1", 2).says(8.05, "worker-1", "finished", "T1")
    assert check(past) is Verdict.FAIL


def test_a_frozen_worker_that_is_killed_was_not_inside() -> None:
    """It died without waking up."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").pause(1.5, 8.0, "worker-1")
    past.kill(7.0, "worker-1", back=8.5, id="s2").runs(5.0, 6.0, "worker-2", "T1", 2)
    assert check(past) is Verdict.PASS


def test_a_lease_lost_in_an_outage_may_be_announced_late() -> None:
    """After a database outage the old worker learns within the grace period that its task is gone."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(6.6, "worker-1", "abandoned", "T1")
    past.strike("stop", "postgres", begin=1.5, landed=1.6, healing=6.0, healed=6.2)
    assert check(past.runs(6.3, 7.0, "worker-2", "T1", 2)) is Verdict.PASS


def test_a_worker_cut_off_from_the_database_that_goes_on_overlaps() -> None:
    """Running past the lease is a defect however the lease was lost."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(9.0, "worker-1", "abandoned", "T1")
    past.strike("stop", "postgres", begin=1.5, landed=1.6, healing=6.0, healed=6.2)
    assert check(past.runs(6.3, 9.5, "worker-2", "T1", 2)) is Verdict.FAIL


def test_a_lease_lost_without_any_fault_is_an_overlap() -> None:
    """Without a strike to explain it even a short stay beyond another's start counts."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(4.3, "worker-1", "abandoned", "T1")
    assert check(past.runs(4.0, 5.0, "worker-2", "T1", 2)) is Verdict.FAIL


def test_a_run_handed_back_at_shutdown_is_no_overlap() -> None:
    """The next worker may be quicker than the announcement of the one that is leaving."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(4.05, "worker-1", "abandoned", "T1")
    past.instance(4.2, "worker-1", "stopped", code=0)
    assert check(past.runs(4.0, 5.0, "worker-2", "T1", 2)) is Verdict.PASS


def test_milliseconds_of_delivery_are_tolerated() -> None:
    """An abandonment that is stamped a hair after the next start is no overlap."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(2.01, "worker-1", "abandoned", "T1")
    assert check(past.runs(2.0, 3.0, "worker-2", "T1", 2)) is Verdict.PASS


def test_two_runs_in_one_worker_overlap_too() -> None:
    """What counts is the attempt, not the worker's name."""
    past = Past("worker-1").starts(1.0, "worker-1", "T1", 1).runs(1.5, 2.0, "worker-1", "T1", 2)
    assert check(past.says(2.5, "worker-1", "finished", "T1", 1)) is Verdict.FAIL


def test_a_worker_without_a_known_process_leaves_it_open() -> None:
    """If no instance bears the worker's name it may have been dead: no verdict either way."""
    past = Past("worker-2").starts(1.0, "pod-abc", "T1").runs(5.0, 6.0, "worker-2", "T1", 2)
    assert check(past) is Verdict.UNKNOWN


def test_a_worker_that_runs_two_tasks_is_no_overlap() -> None:
    """Concurrency is not the matter; one task in two places is."""
    past = Past("worker-1").runs(1.0, 3.0, "worker-1", "T1").runs(1.5, 2.0, "worker-1", "T2")
    assert check(past) is Verdict.PASS


def test_a_finish_after_an_abandonment_counts_as_inside() -> None:
    """A run that was given up and finished all the same was inside until then."""
    past = Past(*TWO).starts(1.0, "worker-1", "T1").says(2.0, "worker-1", "abandoned", "T1")
    past.runs(2.5, 4.0, "worker-2", "T1", 2).says(3.0, "worker-1", "finished", "T1")
    assert check(past) is Verdict.FAIL
