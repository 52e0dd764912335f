"""steady: the system works before it is pushed, and again afterwards."""

from __future__ import annotations

from capsize.checkers.steady import Steady
from capsize.core.verdict import Verdict
from support.histories import Past


def phases() -> Past:
    """Return a past with the usual phases."""
    return Past("api-1").phase("steady", 0.0, 2.0).phase("chaos", 2.0, 6.0).phase("recovery", 6.0, 8.0)


def test_a_system_that_does_not_come_to_rest_fails() -> None:
    """Bad looks among the last ones."""
    past = phases().ready(0.0, 7.0).ready(7.0, 8.0, ok=False)
    result = Steady().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "steady"


def test_steady_before_and_after_passes() -> None:
    """What happens in between is the experiment."""
    past = phases().ready(0.0, 2.0).ready(2.0, 6.5, ok=False).ready(6.5, 8.0)
    assert Steady().check(past.history()).verdict is Verdict.PASS


def test_not_steady_before_is_unknown() -> None:
    """Nothing follows from pushing what did not stand."""
    past = phases().ready(0.0, 1.0).ready(1.0, 1.2, ok=False).ready(1.2, 8.0)
    assert Steady().check(past.history()).verdict is Verdict.UNKNOWN
    given_up = Past().phase("steady", 0.0, 15.0).ends(16.0, "not_steady", "the database refused")
    result = Steady().check(given_up.history())
    assert result.verdict is Verdict.UNKNOWN
    assert "the database refused" in result.summary


def test_no_look_is_unknown() -> None:
    """Neither before nor after."""
    assert Steady().check(phases().history()).verdict is Verdict.UNKNOWN
    assert Steady().check(phases().ready(0.0, 2.0).history()).verdict is Verdict.UNKNOWN


def test_a_moment_to_warm_up_is_allowed() -> None:
    """What comes before the first good answer is the start, not the steady state."""
    past = phases().ready(0.0, 1.0, ok=False).ready(1.0, 8.0)
    assert Steady().check(past.history()).verdict is Verdict.PASS


def test_a_run_without_chaos_needs_no_recovery() -> None:
    """A baseline has no after."""
    past = Past().phase("steady", 0.0, 1.0).phase("drain", 1.0, 5.0).ready(0.0, 5.0)
    assert Steady().check(past.history()).verdict is Verdict.PASS
