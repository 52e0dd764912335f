"""endpoints: every call of the API's catalogue works."""

from __future__ import annotations

from capsize.checkers.endpoints import Endpoints
from capsize.core.verdict import Verdict
from support.histories import Past


def test_an_endpoint_that_never_answers_as_expected_fails() -> None:
    """One broken endpoint among good ones, named."""
    past = Past().api(0.0, 1.0, call="api:list").api(0.0, 0.2, ok=False, call="api:metrics", status=404)
    result = Endpoints(min=0.5).check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "the endpoint metrics was never answered as expected" in result.findings[0].message


def test_a_working_catalogue_passes() -> None:
    """Every name, every call."""
    past = Past().api(0.0, 1.0, call="api:list").api(0.0, 1.0, call="api:me")
    result = Endpoints().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures == {"endpoints": 2, "calls": 40, "good": 40}


def test_no_call_is_unknown() -> None:
    """Nothing was asked."""
    assert Endpoints().check(Past().ready(0.0, 1.0).history()).verdict is Verdict.UNKNOWN


def test_one_failed_call_fails_where_all_must_succeed() -> None:
    """Even if the endpoint answered at other times."""
    past = Past().api(0.0, 1.0, call="api:list").api(1.0, 1.05, ok=False, call="api:list")
    assert Endpoints().check(past.history()).verdict is Verdict.FAIL
    assert Endpoints(min=0.9).check(past.history()).verdict is Verdict.PASS


def test_an_endpoint_that_was_expected_and_never_called_fails() -> None:
    """A catalogue can shrink unnoticed otherwise."""
    past = Past().api(0.0, 1.0, call="api:list")
    assert Endpoints(expected=("list", "me")).check(past.history()).verdict is Verdict.FAIL
