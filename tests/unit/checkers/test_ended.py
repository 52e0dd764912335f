"""ended: the run came to its end in order, and healed what it had broken."""

from __future__ import annotations

from typing import Literal

import pytest

from capsize.checkers.ended import Ended
from capsize.core.events import Undone
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


@pytest.mark.parametrize("how", ["interrupted", "broke", "not_steady", "aborted"])
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


def test_an_injection_that_failed_is_unknown_with_its_reason() -> None:
    """Also in an experiment that claims nothing of its strikes."""
    past = Past("worker-1").strike(
        "cpu", "worker-1", begin=1.0, failed=1.2, healing=1.2, healed=1.3, detail="no cgroup"
    )
    result = Ended().check(past.ends(9.0).history())
    assert result.verdict is Verdict.UNKNOWN
    assert "could not be carried out" in result.summary


@pytest.mark.parametrize("why", ["overdue", "left"])
def test_what_the_guardian_had_to_undo_leaves_the_run_open(why: Literal["overdue", "left"]) -> None:
    """Something was in effect that should not have been, for a time that nobody planned."""
    past = Past("worker-1").kill(1.0, "worker-1", back=1.5)
    past.add(Undone(t=5.0, why=why, steps=("unmount /x",), strike="s1"))
    result = Ended().check(past.ends(9.0).history())
    assert result.verdict is Verdict.UNKNOWN
    assert "s1" in result.summary
    assert "unmount /x" in result.summary


def test_what_nobody_could_undo_fails_and_is_named() -> None:
    """It is still on the machine."""
    past = Past().add(Undone(t=9.0, why="left", steps=("unmount /x",), left=("/x is still mounted",)))
    result = Ended().check(past.ends(9.0).history())
    assert result.verdict is Verdict.FAIL
    assert "/x is still mounted" in result.summary
    assert len(result.findings) == 1
