"""instrument: capsize itself was punctual enough for its record to be evidence."""

from __future__ import annotations

from capsize.checkers.instrument import Instrument
from capsize.core.verdict import Verdict
from support.histories import Past


def measured(*lags: float) -> Past:
    """Return a past with one window of the instrument's own lag for each figure, and punctual calls."""
    past = Past().ready(0.0, 10.0)
    for number, lag in enumerate(lags):
        past.sample(number * 0.5 + 0.5, "instrument", lag_p50_s=lag / 2, lag_p99_s=lag, lag_max_s=lag * 2)
    return past


def test_a_slow_instrument_makes_the_run_unknown_and_not_failed() -> None:
    """The service may be blameless."""
    result = Instrument().check(measured(*[0.01] * 10, *[0.3] * 10).history())
    assert result.verdict is Verdict.UNKNOWN
    assert "lagged by more than 100 ms in 50% of the time" in result.summary


def test_a_punctual_instrument_passes() -> None:
    """Its figures are told."""
    result = Instrument().check(measured(*[0.01] * 20).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["lag_p99_s"] == 0.01


def test_one_bad_moment_does_not_condemn_a_run() -> None:
    """A noisy machine stalls everybody now and then."""
    assert Instrument().check(measured(*[0.01] * 19, 0.5).history()).verdict is Verdict.PASS


def test_an_unmeasured_run_is_unknown() -> None:
    """No windows, or no calls."""
    assert Instrument().check(Past().ready(0.0, 10.0).history()).verdict is Verdict.UNKNOWN
    silent = Past().sample(1.0, "instrument", lag_p99_s=0.0)
    assert Instrument().check(silent.history()).verdict is Verdict.UNKNOWN


def test_late_sends_are_unknown() -> None:
    """An open loop that sends late measures its own queue."""
    past = measured(*[0.01] * 20)
    for number in range(50):
        past.op(number * 0.2 + 0.4, "api:list", planned=number * 0.2, sent=number * 0.2 + 0.3)
    assert Instrument().check(past.history()).verdict is Verdict.UNKNOWN
