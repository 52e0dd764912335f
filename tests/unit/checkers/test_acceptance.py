"""acceptance: submissions are taken in soon and at the first try."""

from __future__ import annotations

from capsize.checkers.acceptance import Acceptance
from capsize.core.verdict import Verdict
from support.histories import Past


def flood(count: int, takes: float = 0.01) -> Past:
    """Return a past with so many submissions at 100/s, each acknowledged after ``takes``."""
    past = Past()
    for number in range(count):
        due = number / 100
        past.op(due + takes, "submit", planned=due, key=f"k{number}", task=f"t{number}")
    return past


def test_slow_acknowledgements_fail() -> None:
    """Every one takes three seconds, two are allowed."""
    result = Acceptance(p99_max_s=2.0).check(flood(200, takes=3.0).history())
    assert result.verdict is Verdict.FAIL
    assert result.measures["ack_p99_s"] == 3.0


def test_refusals_fail() -> None:
    """Ten of two hundred needed a second try."""
    past = flood(190)
    for number in range(10):
        past.op(1.0, "submit", "fail", key=f"again{number}", status=503)
        past.op(1.2, "submit", key=f"again{number}", task=f"late{number}")
    result = Acceptance().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "95.0% of 200 submissions" in result.findings[0].message


def test_a_flood_that_is_taken_in_passes_with_its_rate() -> None:
    """200 submissions at 100/s, each in 10 ms."""
    result = Acceptance().check(flood(200).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["offered_per_s"] == 100.0
    assert result.measures["first_try_ratio"] == 1.0


def test_a_few_submissions_are_no_flood() -> None:
    """Nothing was pushed."""
    assert Acceptance().check(flood(20).history()).verdict is Verdict.UNKNOWN


def test_what_capsize_held_back_is_no_evidence() -> None:
    """The service did well with what it got; but it did not get all of it."""
    past = flood(200)
    past.op(1.0, "submit", "fail", key="held", error="not sent: 512 connections in use")
    past.op(1.3, "submit", key="held", task="held")
    assert Acceptance().check(past.history()).verdict is Verdict.UNKNOWN


def test_a_slow_service_can_not_hide_behind_what_was_held_back() -> None:
    """So many in flight that no more could be sent is the service's own slowness."""
    past = flood(200, takes=4.0)
    past.op(1.0, "submit", "fail", key="held", error="not sent: 512 connections in use")
    assert Acceptance().check(past.history()).verdict is Verdict.FAIL
