"""crashes: nothing dies of itself."""

from __future__ import annotations

from capsize.checkers.crashes import Crashes
from capsize.core.verdict import Verdict
from support.histories import Past


def test_an_exit_that_nobody_caused_fails() -> None:
    """With its code."""
    past = Past("api-1", "worker-1").phase("chaos", 0.5, 30.0).exits(5.0, "worker-1", back=5.5, code=1)
    result = Crashes().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].message == "worker-1 exited with code 1 at 5.000 s, and nobody had harmed it"


def test_another_s_strike_explains_nothing() -> None:
    """The API was killed, and the worker died with it."""
    past = Past("api-1", "worker-1").phase("chaos", 0.5, 30.0).kill(5.0, "api-1", back=5.5)
    past.exits(5.1, "worker-1", back=5.6, code=-11)
    result = Crashes().check(past.history())
    assert [finding.message.split()[0] for finding in result.findings] == ["worker-1"]


def test_killed_by_capsize_or_stopped_on_purpose_passes() -> None:
    """And so does what ends when the run is taken down."""
    past = Past("api-1", "worker-1").phase("chaos", 0.5, 30.0).kill(5.0, "worker-1", back=5.5)
    past.instance(31.0, "api-1", "exited", code=1)
    result = Crashes().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures == {"instances": 2, "crashes": 0}


def test_a_platform_that_said_nothing_is_unknown() -> None:
    """Nobody watched."""
    assert Crashes().check(Past().phase("chaos", 0.5, 30.0).history()).verdict is Verdict.UNKNOWN
