"""Calls that capsize itself gave up say nothing of the service, unless it had been slow by then."""

from __future__ import annotations

import pytest

from capsize.checkers.answers import api_calls, ready
from capsize.core.events import Op
from capsize.core.history import History

ERROR = "given up: the load ended while the request was under way"


def _op(call: str, *, waited_s: float, error: str = ERROR) -> Op:
    return Op(t=5.0 + waited_s, call=call, client="c", outcome="info", planned=5.0, sent=5.0, error=error)


@pytest.mark.parametrize("call", ["ready", "api:list"])
def test_a_call_that_was_just_under_way_when_its_load_ended_is_left_out(call: str) -> None:
    """Two milliseconds are no sign of anything; counting it would fail a service that answered all calls."""
    history = History([_op(call, waited_s=0.002)])
    assert (*ready(history), *api_calls(history)) == ()


@pytest.mark.parametrize("call", ["ready", "api:list"])
def test_a_call_that_had_waited_for_long_counts(call: str) -> None:
    """A service that stalls until the load ends does not get away with it."""
    history = History([_op(call, waited_s=3.0)])
    assert len((*ready(history), *api_calls(history))) == 1


def test_a_time_out_always_counts() -> None:
    """Only what capsize gave up is left out, not what the service failed to answer."""
    assert len(api_calls(History([_op("api:list", waited_s=0.5, error="timed out")]))) == 1
