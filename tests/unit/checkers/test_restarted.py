"""restarted: what died came back by itself."""

from __future__ import annotations

from capsize.checkers.restarted import Restarted
from capsize.core.verdict import Verdict
from support.histories import Past


def test_an_instance_that_stays_away_fails() -> None:
    """Ten seconds are over and it is not ready."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).exits(1.0, "api-1")
    result = Restarted(service="api").check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "api-1 exited at 1.000 s and was not ready again after 29.0 s" in result.findings[0].message


def test_a_prompt_return_passes_with_its_time() -> None:
    """From the exit to the next ready process."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).kill(1.0, "api-1", back=1.81)
    result = Restarted(service="api").check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures == {"restarts": 1, "api_restart_p50_s": 0.8, "api_restart_max_s": 0.8}


def test_no_exit_is_unknown_when_one_is_required() -> None:
    """Nothing had to come back; and other services' exits do not count."""
    past = Past("api-1", "worker-1").phase("chaos", 0.5, 30.0).kill(1.0, "worker-1", back=1.5)
    assert Restarted(service="api").check(past.history()).verdict is Verdict.UNKNOWN
    assert Restarted(service="api", required=False).check(past.history()).verdict is Verdict.PASS


def test_a_slow_return_fails() -> None:
    """Back, but after the limit."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).kill(1.0, "api-1", back=14.0)
    assert Restarted(service="api").check(past.history()).verdict is Verdict.FAIL


def test_a_supervisor_that_gave_up_fails() -> None:
    """Whatever the time."""
    past = Past("api-1").phase("chaos", 0.5, 3.0).exits(1.0, "api-1").instance(2.0, "api-1", "gave_up")
    assert Restarted(service="api").check(past.history()).verdict is Verdict.FAIL


def test_an_exit_just_before_the_end_is_unknown() -> None:
    """It had no time left."""
    past = Past("api-1").phase("chaos", 0.5, 3.0).exits(2.0, "api-1")
    assert Restarted(service="api").check(past.history()).verdict is Verdict.UNKNOWN


def test_a_crash_loop_counts_from_the_first_exit() -> None:
    """Dying again by itself on the way up does not start the time anew."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).exits(1.0, "api-1")
    for t in (2.0, 6.0, 10.0):
        past.instance(t, "api-1", "starting").exits(t + 0.5, "api-1", code=1)
    past.up(14.0, "api-1")
    assert Restarted(service="api").check(past.history()).verdict is Verdict.FAIL


def test_a_strike_on_the_way_up_starts_the_time_anew() -> None:
    """What capsize breaks again is not the service's delay."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).exits(1.0, "api-1").instance(6.0, "api-1", "starting")
    past.kill(8.0, "api-1", back=14.0)
    assert Restarted(service="api").check(past.history()).verdict is Verdict.PASS


def test_what_is_stopped_on_purpose_is_not_expected_back() -> None:
    """Held down by capsize, or taken down at the end."""
    past = Past("api-1").phase("chaos", 0.5, 30.0).instance(1.0, "api-1", "stopped", code=0)
    assert Restarted(service="api").check(past.history()).verdict is Verdict.UNKNOWN
