"""A run that was broken off fails only for what certainly happened."""

from __future__ import annotations

import pytest

from capsize.checkers.unfinished import NEEDS_THE_END, NEEDS_THE_WITNESS, fair
from capsize.core.events import RunBegan, RunEnded, Witnessed
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

COMPLETED = History([RunEnded(t=9.0, how="completed")])
UNFINISHED = {
    "interrupted": History([RunEnded(t=9.0, how="interrupted")]),
    "broke": History([RunEnded(t=9.0, how="broke")]),
    "cut off": History([]),
    "torn": History([RunEnded(t=9.0, how="completed")], truncated=True),
}


def _failed(checker: str) -> Result:
    found = Finding(anomaly=checker, message="not enough")
    return Result(checker=checker, verdict=Verdict.FAIL, summary="2 of 10 done", findings=(found,))


@pytest.mark.parametrize("how", UNFINISHED)
@pytest.mark.parametrize("checker", sorted(NEEDS_THE_END))
def test_what_might_have_come_yet_is_unknown(checker: str, how: str) -> None:
    """Work that was not done when the run was broken off is no failure; the figures so far are kept."""
    result = fair(_failed(checker), UNFINISHED[how])
    assert result.verdict is Verdict.UNKNOWN
    assert "2 of 10 done" in result.summary
    assert result.findings == ()


@pytest.mark.parametrize("checker", ["duplicate", "overlap", "ended", "resurrected", "unaccounted"])
@pytest.mark.parametrize("how", UNFINISHED)
def test_what_certainly_happened_stays_a_failure(checker: str, how: str) -> None:
    """A task that was done twice was done twice, however the run ended."""
    assert fair(_failed(checker), UNFINISHED[how]) == _failed(checker)


@pytest.mark.parametrize("checker", ["restarted", "unaccounted", "availability", "ended"])
def test_before_anything_was_harmed_nothing_is_a_failure(checker: str) -> None:
    """A run that stopped because the system was not steady says nothing of the service under chaos."""
    result = fair(_failed(checker), History([RunEnded(t=9.0, how="not_steady")]))
    assert result.verdict is Verdict.UNKNOWN
    assert "nothing was harmed" in result.summary


@pytest.mark.parametrize("checker", sorted(NEEDS_THE_END))
def test_a_whole_run_is_judged_as_it_is(checker: str) -> None:
    """A run that came to its end fails for what is missing."""
    assert fair(_failed(checker), COMPLETED) == _failed(checker)


def _began(platform: str) -> RunBegan:
    return RunBegan(t=0, run="r", scenario="s", level=1, seed=1, wall=0, platform=platform)


@pytest.mark.parametrize("checker", sorted(NEEDS_THE_WITNESS))
def test_a_service_that_somebody_else_started_may_be_silent(checker: str) -> None:
    """Its workers were never told of the witness: what nobody saw is UNKNOWN."""
    history = History([_began("remote"), RunEnded(t=9.0, how="completed")])
    assert fair(_failed(checker), history).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("checker", sorted(NEEDS_THE_WITNESS))
def test_silence_is_no_excuse_for_workers_that_know_the_witness(checker: str) -> None:
    """Workers that capsize started, or that announced anything at all, are judged in full."""
    spoke = Witnessed(t=1.0, task="a", event="started", attempt=1, worker="w")
    for events in ([_began("local")], [_began("remote"), spoke]):
        history = History([*events, RunEnded(t=9.0, how="completed")])
        assert fair(_failed(checker), history) == _failed(checker)


def test_a_pass_is_never_changed() -> None:
    """The unfinished run is UNKNOWN by `ended`; its other claims say what they saw."""
    passed = Result(checker="completion", verdict=Verdict.PASS, summary="10 of 10")
    assert fair(passed, UNFINISHED["interrupted"]) == passed
