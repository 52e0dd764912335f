"""bounded_answers: while the database is away the API says so clearly and soon."""

from __future__ import annotations

from typing import Any

import pytest

from capsize.checkers.bounded_answers import BoundedAnswers
from capsize.core.verdict import Verdict
from support.histories import Past


def outage(**calls: Any) -> Past:
    """Return a past in which PostgreSQL is stopped from 5 to 9; the calls in it come out as told."""
    past = Past("api-1").strike("stop", "postgres", begin=5.0, landed=5.0, healing=9.0, healed=9.0)
    past.database(0.0, 5.0, True).database(5.0, 9.0, False).database(9.1, 15.0, True)
    past.ready(0.0, 5.0).ready(5.0, 9.2, ok=False).ready(9.2, 15.0).api(0.0, 5.0).api(9.3, 15.0)
    return past.api(5.1, 8.9, ok=False, **calls)


@pytest.mark.parametrize(
    "calls",
    [
        {"status": 500},
        {"status": None, "error": "no answer within 5 s", "takes": 5.0, "outcome": "info"},
        {"status": None, "error": "connection refused"},
        {"status": 503, "takes": 6.0},
    ],
    ids=["error 500", "no answer", "refused", "too late"],
)
def test_anything_but_a_clear_answer_in_time_fails(calls: dict[str, Any]) -> None:
    """A 500, a hang, an API that went down too, a refusal after six seconds."""
    result = BoundedAnswers().check(outage(**calls).history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "bounded_answers"


def test_clear_refusals_pass() -> None:
    """503 within milliseconds; what needs no database may also succeed."""
    result = BoundedAnswers().check(outage(status=503).api(5.1, 8.9, call="api:live").history())
    assert result.verdict is Verdict.PASS
    assert result.measures["refused"] == 76


def test_no_call_during_an_outage_is_unknown() -> None:
    """No outage, or nobody called."""
    assert BoundedAnswers().check(Past("api-1").api(0.0, 5.0).history()).verdict is Verdict.UNKNOWN
    past = Past("api-1").strike("stop", "postgres", begin=5.0, landed=5.0, healing=9.0, healed=9.0)
    assert BoundedAnswers().check(past.ready(0.0, 15.0).history()).verdict is Verdict.UNKNOWN


def test_errors_outside_of_outages_are_not_judged_here() -> None:
    """They are for availability."""
    past = outage(status=503).api(12.0, 13.0, ok=False, status=500)
    assert BoundedAnswers().check(past.history()).verdict is Verdict.PASS
