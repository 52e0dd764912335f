"""observed_recovery: outages that nobody planned, and how soon they were over."""

from __future__ import annotations

from capsize.checkers.observed_recovery import ObservedRecovery
from capsize.core.verdict import Result, Verdict
from support.histories import Past


def _judge(past: Past) -> Result:
    return ObservedRecovery().check(past.history())


def _away(begin: float, end: float, until: float) -> Past:
    return Past().ready(0.0, begin).ready(begin, end, ok=False).ready(end, until)


def test_an_outage_is_timed_from_the_first_bad_look_to_the_first_of_the_good_ones() -> None:
    """Away from 10 to 14 s."""
    result = _judge(_away(10.0, 14.0, 20.0))
    assert result.verdict is Verdict.PASS
    assert result.measures["outages"] == 1
    assert abs(result.measures["recovery_max_s"] - 4.0) < 0.1


def test_a_slow_return_is_partial_and_a_very_slow_one_fails() -> None:
    """25 s is over the target of 20 s, 31 s over the limit of 30 s."""
    assert _judge(_away(10.0, 35.0, 40.0)).verdict is Verdict.PARTIAL
    result = _judge(_away(10.0, 41.0, 45.0))
    assert result.verdict is Verdict.FAIL
    assert result.findings


def test_a_service_that_never_came_back_fails_once_the_limit_is_over() -> None:
    """Watched for 35 s after it went; with only 10 s to look at, nobody knows."""
    assert _judge(Past().ready(0.0, 5.0).ready(5.0, 40.0, ok=False)).verdict is Verdict.FAIL
    assert _judge(Past().ready(0.0, 5.0).ready(5.0, 15.0, ok=False)).verdict is Verdict.UNKNOWN


def test_nothing_away_proves_nothing() -> None:
    """No outage, a single lost look, and bad looks before the service was ready for the first time."""
    assert _judge(Past().ready(0.0, 30.0)).verdict is Verdict.UNKNOWN
    assert _judge(_away(10.0, 10.02, 20.0)).verdict is Verdict.UNKNOWN
    assert _judge(Past().ready(0.0, 5.0, ok=False).ready(5.0, 20.0)).verdict is Verdict.UNKNOWN


def test_coming_and_going_is_one_outage() -> None:
    """A few good looks between bad ones do not end it."""
    past = Past().ready(0.0, 5.0).ready(5.0, 7.0, ok=False).ready(7.0, 7.06).ready(7.06, 9.0, ok=False)
    result = _judge(past.ready(9.0, 15.0))
    assert result.measures["outages"] == 1
    assert abs(result.measures["recovery_max_s"] - 4.0) < 0.1
