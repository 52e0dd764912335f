"""landed: the faults did what they were meant to do."""

from __future__ import annotations

from capsize.checkers.landed import Landed
from capsize.core.verdict import Verdict
from support.histories import Past


def test_a_heal_that_failed_fails_and_names_what_is_left() -> None:
    """What was broken stays broken: the worst that capsize can do."""
    past = Past("worker-1").strike(
        "pause", "worker-1", begin=1.0, landed=1.1, healing=2.0, heal_failed=62.0, detail="pid 7 still frozen"
    )
    result = Landed().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "pid 7 still frozen" in result.findings[0].message


def test_strikes_that_landed_pass() -> None:
    """Two planned, one landed, one not carried out: counted."""
    past = Past("worker-1").kill(1.0, "worker-1", back=1.5).strike("kill", "", "s2", not_carried_out=9.0)
    result = Landed().check(past.history())
    assert result.verdict is Verdict.PASS
    assert (result.measures["landed"], result.measures["not_carried_out"]) == (1, 1)


def test_an_injection_that_failed_is_unknown_with_its_reason() -> None:
    """Also when others landed: what was planned was not done."""
    past = Past("worker-1").kill(1.0, "worker-1", back=1.5)
    past.strike(
        "kill", "worker-1", "s2", begin=3.0, failed=3.1, healing=3.1, healed=3.2, detail="no such pid"
    )
    result = Landed().check(past.history())
    assert result.verdict is Verdict.UNKNOWN
    assert "no such pid" in result.summary


def test_nothing_landed_is_unknown() -> None:
    """A run in which every strike missed, or none was carried out, proves nothing."""
    missed = Past().strike("kill", "worker-1", missed=1.0, detail="no instance was up")
    assert Landed().check(missed.history()).verdict is Verdict.UNKNOWN
    assert Landed().check(Past().strike("kill", "", not_carried_out=9.0).history()).verdict is Verdict.UNKNOWN
    assert Landed().check(Past().history()).verdict is Verdict.UNKNOWN


def test_a_strike_on_an_idle_worker_is_no_evidence() -> None:
    """Required live, and nothing was in flight."""
    past = Past("worker-1", "worker-2").runs(0.5, 0.9, "worker-1", "T1").kill(1.0, "worker-1", back=1.5)
    past.starts(0.8, "worker-2", "T2")
    assert Landed(live=True).check(past.history()).verdict is Verdict.UNKNOWN
    assert Landed().check(past.history()).verdict is Verdict.PASS


def test_a_strike_on_a_worker_inside_a_task_is_live() -> None:
    """By the witness, when the strike began."""
    past = Past("worker-1").starts(0.5, "worker-1", "T1").kill(1.0, "worker-1", back=1.5)
    result = Landed(live=True).check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["landed_live"] == 1


def test_a_worker_that_died_before_the_strike_was_not_live() -> None:
    """Its run ended with its process, not with the strike that came too late."""
    past = Past("worker-1").starts(0.5, "worker-1", "T1").exits(0.7, "worker-1", back=0.95, code=1)
    past.kill(1.2, "worker-1", back=1.5)
    assert Landed(live=True).check(past.history()).verdict is Verdict.UNKNOWN
