"""availability: the share of API calls that succeeded."""

from __future__ import annotations

import pytest

from capsize.checkers.availability import Availability
from capsize.core.verdict import Verdict
from support.histories import Past


def test_too_many_failures_fail() -> None:
    """Ten of a hundred failed where 95% is required; the finding shows some of them."""
    past = Past("api-1").phase("chaos", 1.0, 10.0).api(1.0, 5.5).api(5.5, 6.0, ok=False)
    result = Availability(min=0.95).check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.measures["api_success_ratio"] == 0.9
    assert len(result.findings[0].story) == 10


def test_enough_successes_pass_with_an_interval() -> None:
    """The figures carry how sure they are."""
    past = Past("api-1").phase("chaos", 1.0, 10.0).api(1.0, 6.0)
    result = Availability(min=0.95).check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["api_success_low"] == pytest.approx(0.963, abs=0.001)


def test_few_calls_are_unknown() -> None:
    """Nineteen calls decide nothing."""
    past = Past("api-1").phase("chaos", 1.0, 10.0).api(1.0, 1.95)
    assert Availability().check(past.history()).verdict is Verdict.UNKNOWN


def test_only_the_chosen_phases_count() -> None:
    """Failures before the chaos are not its failures."""
    past = Past("api-1").phase("steady", 0.0, 1.0).phase("chaos", 1.0, 10.0)
    past.api(0.0, 1.0, ok=False).api(1.0, 6.0)
    assert Availability().check(past.history()).verdict is Verdict.PASS
    assert Availability(phases=("steady", "chaos")).check(past.history()).verdict is Verdict.FAIL


def test_calls_that_capsize_held_back_are_left_out_and_doubted() -> None:
    """They say nothing about the service; too many of them say that capsize was too weak."""
    held = {"ok": False, "status": None, "error": "not sent: 500 requests in flight"}
    some = Past("api-1").phase("chaos", 1.0, 20.0).api(1.0, 11.0).api(11.0, 11.1, **held)
    result = Availability(min=1.0).check(some.history())
    assert (result.verdict, result.measures["held_back"]) == (Verdict.PASS, 2)
    many = Past("api-1").phase("chaos", 1.0, 20.0).api(1.0, 11.0).api(11.0, 12.0, **held)
    assert Availability(min=1.0).check(many.history()).verdict is Verdict.UNKNOWN


def test_a_stalled_service_shows_in_the_latency() -> None:
    """Latency counts from the planned time, not from when capsize got round to sending."""
    past = Past("api-1").phase("chaos", 1.0, 10.0).api(1.0, 6.0)
    past.op(8.0, "api:list", planned=6.0, sent=7.9)
    assert Availability().check(past.history()).measures["latency_max_s"] == 2.0


def test_calls_during_a_database_outage_can_be_left_out() -> None:
    """Refused clearly while the database is away: judged elsewhere."""
    past = Past("api-1").phase("chaos", 1.0, 20.0).ready(0.0, 5.0).ready(5.0, 8.2, ok=False).ready(8.2, 20.0)
    past.strike("stop", "postgres", begin=5.0, landed=5.1, healing=8.0, healed=8.1)
    past.api(1.0, 5.0).api(5.0, 8.2, ok=False, status=503).api(8.3, 15.0)
    assert Availability().check(past.history()).verdict is Verdict.FAIL
    assert Availability(outside_outages=True).check(past.history()).measures["api_success_ratio"] == 1.0


def test_leaving_outages_out_does_not_hide_a_service_that_stays_away() -> None:
    """Some seconds after the database is back the calls count again."""
    past = Past("api-1").phase("chaos", 1.0, 30.0).ready(0.0, 5.0).ready(5.0, 30.0, ok=False)
    past.strike("stop", "postgres", begin=5.0, landed=5.1, healing=8.0, healed=8.1)
    past.api(1.0, 5.0).api(5.0, 30.0, ok=False, status=503)
    assert Availability(outside_outages=True).check(past.history()).verdict is Verdict.FAIL
