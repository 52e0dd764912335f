"""late: finished after the deadline."""

from __future__ import annotations

from capsize.checkers.late import Late
from capsize.core.verdict import Verdict
from support.histories import Past


def past(finish: float) -> Past:
    """Return a past with one task that finishes then; the chaos begins at 1.0."""
    return Past("worker-1").phase("chaos", 1.0, 60.0).submit(2.0, "T1").runs(3.0, finish, "worker-1", "T1")


def test_a_late_finish_is_partial_where_the_deadline_binds() -> None:
    """Done, but not in time; the finding says by how much."""
    result = Late(deadline_s=10.0).check(past(14.0).history())
    assert result.verdict is Verdict.PARTIAL
    assert result.findings[0].message == "task T1 finished 3.0 s after its deadline"
    assert result.measures == {"late": 1, "late_max_s": 3.0}


def test_in_time_passes() -> None:
    """Ten seconds from the begin of the chaos."""
    assert Late(deadline_s=10.0).check(past(10.9).history()).verdict is Verdict.PASS


def test_nothing_finished_is_unknown() -> None:
    """There is no finish that could be late."""
    history = Past("worker-1").submit(2.0, "T1").history()
    assert Late(deadline_s=10.0).check(history).verdict is Verdict.UNKNOWN


def test_a_deadline_that_does_not_bind_is_only_measured() -> None:
    """Level 5: the deadline may be missed."""
    result = Late(deadline_s=10.0, binds=False).check(past(14.0).history())
    assert (result.verdict, result.findings) == (Verdict.PASS, ())
    assert result.measures["late"] == 1


def test_the_origin_may_be_each_acknowledgement() -> None:
    """Ten seconds from 2.0, not from 1.0."""
    assert Late(deadline_s=10.0, origin="acknowledged").check(past(11.5).history()).verdict is Verdict.PASS
    assert Late(deadline_s=10.0).check(past(11.5).history()).verdict is Verdict.PARTIAL
