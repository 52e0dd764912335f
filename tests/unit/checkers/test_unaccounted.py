"""unaccounted: the service's own counts do not add up."""

from __future__ import annotations

from capsize.checkers.unaccounted import Unaccounted
from capsize.core.verdict import Verdict
from support.histories import Past


def check(past: Past, **config: bool) -> Verdict:
    """Return what the checker says."""
    return Unaccounted(**config).check(past.history()).verdict


def test_a_sum_that_does_not_add_up_is_unaccounted() -> None:
    """Two created, one in some state: one fell through."""
    past = Past().submit(1.0, "T1", "T2").stats(2.0, pending=1, created=2)
    result = Unaccounted().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "2 tasks were created and 1 are in some state" in result.findings[0].message


def test_counts_that_add_up_pass() -> None:
    """At every look."""
    past = Past().stats(0.5).submit(1.0, "T1", "T2").stats(2.0, pending=1, running=1).stats(3.0, completed=2)
    assert check(past) is Verdict.PASS


def test_no_look_is_unknown() -> None:
    """Failed looks and counts that leave something out are no evidence."""
    past = Past().submit(1.0, "T1").sample(2.0, "stats", error="no answer").sample(3.0, "stats", created=1)
    assert check(past) is Verdict.UNKNOWN


def test_an_accepted_task_that_is_not_counted_is_unaccounted() -> None:
    """Sums agree with each other and not with what was acknowledged before the look."""
    assert check(Past().submit(1.0, "T1", "T2").stats(2.0, pending=1)) is Verdict.FAIL


def test_a_task_accepted_during_the_look_may_be_missing() -> None:
    """Its answer came after the look had begun."""
    past = Past().submit(1.0, "T1").submit(2.0, "T2").stats(2.1, pending=1, began=1.95)
    assert check(past) is Verdict.PASS


def test_more_than_was_ever_submitted_is_unaccounted() -> None:
    """Three created out of one submission and one whose outcome nobody knows."""
    past = Past().submit(1.0, "T1").submit(1.0, "T2", outcome="info").submit(1.0, "T3", outcome="fail")
    assert check(past.stats(2.0, pending=3)) is Verdict.FAIL


def test_a_submission_of_unknown_outcome_may_count_or_not() -> None:
    """Don't know is not failed."""
    for pending in (1, 2):
        past = Past().submit(1.0, "T1").submit(1.0, "T2", outcome="info").stats(2.0, pending=pending)
        assert check(past) is Verdict.PASS


def test_a_repeated_submission_may_count_once_only() -> None:
    """One key, one task, however often it was tried."""
    past = Past().submit(1.0, "T1", outcome="info").submit(1.5, "T1")
    assert check(past.stats(2.0, pending=1)) is Verdict.PASS
    assert check(past.stats(3.0, pending=2)) is Verdict.FAIL


def test_other_creators_lift_the_upper_bound() -> None:
    """Somebody else submits as well."""
    past = Past().submit(1.0, "T1").stats(2.0, pending=3)
    assert check(past) is Verdict.FAIL
    assert check(past, other_creations=True) is Verdict.PASS


def test_the_dead_letter_queue_holds_the_failed_ones() -> None:
    """The same set under two names."""
    past = Past().submit(1.0, "T1").stats(2.0, failed=1, dead_letter=0)
    assert check(past) is Verdict.FAIL


def test_deleted_tasks_may_be_missing() -> None:
    """A delete takes one off, a purge any number."""
    past = Past().submit(1.0, "T1", "T2").op(1.5, "delete", "info", task="T1").stats(2.0, completed=1)
    assert check(past) is Verdict.PASS
    assert check(Past().submit(1.0, "T1", "T2").op(1.5, "purge").stats(2.0)) is Verdict.PASS
