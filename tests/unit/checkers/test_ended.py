"""ended: the run came to its end in order, and healed what it had broken."""

from __future__ import annotations

import pytest

from capsize.checkers.ended import Ended
from capsize.core.verdict import Verdict
from support.histories import Past


def test_a_heal_that_failed_fails() -> None:
    """Something is left broken."""
    past = Past().strike(
        "pause", "worker-1", begin=1.0, landed=1.0, healing=2.0, heal_failed=3.0, detail="pid 7"
    )
    assert Ended().check(past.ends(9.0).history()).verdict is Verdict.FAIL


def test_a_completed_run_passes() -> None:
    """With every strike healed."""
    past = Past("worker-1").kill(1.0, "worker-1", back=1.5).ends(9.0)
    assert Ended().check(past.history()).verdict is Verdict.PASS


@pytest.mark.parametrize("how", ["interrupted", "broke", "not_steady"])
def test_a_run_that_did_not_complete_is_unknown_with_its_reason(how: str) -> None:
    """The summary says why."""
    result = Ended().check(Past().ends(9.0, how, "Ctrl-C").history())
    assert result.verdict is Verdict.UNKNOWN
    assert "Ctrl-C" in result.summary


def test_a_history_that_was_cut_off_is_unknown() -> None:
    """No last line, or half of one."""
    result = Ended().check(Past("worker-1").ready(0.0, 5.0).history())
    assert result.verdict is Verdict.UNKNOWN
    assert "cut off at 5.0 s" in result.summary
    assert Ended().check(Past().ends(9.0).history(truncated=True)).verdict is Verdict.UNKNOWN


def test_a_strike_without_a_word_on_its_healing_is_unknown() -> None:
    """Nobody knows whether it is still there."""
    past = Past("worker-1").strike("pause", "worker-1", begin=1.0, landed=1.1).ends(9.0)
    assert Ended().check(past.history()).verdict is Verdict.UNKNOWN
