"""stuck: a cut-off task that nobody takes up again although somebody could."""

from __future__ import annotations

from capsize.checkers.stuck import Stuck
from capsize.core.verdict import Verdict
from support.histories import Past

TWO = ("worker-1", "worker-2")
STUCK = Stuck(lease_s=3.0, grace_s=1.0)


def left_behind(status: str | None = "running", until: float = 12.0) -> Past:
    """Return a past in which worker-1 dies inside T1 at 1.5 and nobody takes T1 up."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").kill(1.5, "worker-1", back=2.0)
    return past.phase("drain", 2.0, until).reported(until, status, "T1") if status else past


def test_a_task_left_behind_beside_an_idle_worker_is_stuck() -> None:
    """The lease was over, a worker had nothing to do, and the task was never begun again."""
    result = STUCK.check(left_behind().history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].task == "T1"
    assert "stood idle" in result.findings[0].message


def test_a_pending_task_left_behind_is_stuck_as_well() -> None:
    """Whatever it is called, nobody runs it."""
    assert STUCK.check(left_behind("pending").history()).verdict is Verdict.FAIL


def test_a_task_taken_up_again_is_not_stuck_and_its_wait_is_told() -> None:
    """The measures tell how long it waited, from the death of its worker."""
    past = left_behind(None).runs(4.6, 5.0, "worker-2", "T1", 2).reported(12.0, "completed", "T1")
    result = STUCK.check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures == {
        "stuck": 0,
        "redeliveries": 1,
        "redelivery_p50_s": 3.1,
        "redelivery_max_s": 3.1,
    }


def test_without_a_last_word_a_task_left_behind_is_unknown() -> None:
    """It may have been dead-lettered: no verdict."""
    past = left_behind(None).phase("drain", 2.0, 12.0)
    assert STUCK.check(past.history()).verdict is Verdict.UNKNOWN


def test_a_dead_lettered_task_is_not_stuck() -> None:
    """A task that kills its workers ends there by design."""
    assert STUCK.check(left_behind("failed").history()).verdict is Verdict.PASS


def test_busy_workers_leave_no_task_stuck() -> None:
    """As long as everybody works, waiting is queueing."""
    past = left_behind("pending")
    past.runs(1.0, 12.5, "worker-2", "T2").starts(2.1, "worker-1", "T3")
    assert STUCK.check(past.history()).verdict is Verdict.PASS


def test_a_run_that_ends_too_soon_after_the_loss_is_no_evidence() -> None:
    """The lease was not over yet when the run ended."""
    assert STUCK.check(left_behind(until=5.0).history()).verdict is Verdict.PASS


def test_an_outage_gives_the_workers_another_lease() -> None:
    """Nobody can claim while the database is away, nor at once afterwards."""
    past = left_behind(until=12.0)
    past.strike("stop", "postgres", id="s2", begin=2.0, landed=2.0, healing=9.0, healed=9.0)
    assert STUCK.check(past.history()).verdict is Verdict.PASS


def test_an_abandoned_task_that_nobody_takes_is_stuck() -> None:
    """Handed back and forgotten."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "abandoned", "T1")
    past.phase("drain", 2.0, 12.0).reported(12.0, "pending", "T1")
    assert STUCK.check(past.history()).verdict is Verdict.FAIL


def test_a_failed_attempt_that_waits_for_its_next_try_is_not_stuck() -> None:
    """Backoff may take longer than a lease."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "failed", "T1")
    past.phase("drain", 2.0, 12.0).reported(12.0, "pending", "T1")
    assert STUCK.check(past.history()).verdict is Verdict.PASS


def test_a_finished_task_that_stays_running_is_stuck() -> None:
    """Its record failed, its worker goes on, and the claim is never given free."""
    past = Past(*TWO).submit(1.0, "T1").starts(1.1, "worker-1", "T1").says(2.0, "worker-1", "finished", "T1")
    past.phase("drain", 2.0, 12.0).reported(12.0, "running", "T1")
    assert STUCK.check(past.history()).verdict is Verdict.FAIL


def test_a_silent_witness_is_unknown() -> None:
    """Without announcements there is no evidence."""
    assert STUCK.check(Past(*TWO).submit(1.0, "T1").history()).verdict is Verdict.UNKNOWN
