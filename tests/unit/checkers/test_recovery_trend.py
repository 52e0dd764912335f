"""recovery_trend: the last recovery is as quick as the first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from capsize.checkers.recovery_trend import RecoveryTrend
from capsize.core.verdict import Verdict
from support.histories import Past

CHECK = RecoveryTrend(services=("api",))
EVERY_S = 15.0


def cycles(times: Sequence[float], delays: Sequence[float] = ()) -> Past:
    """Return a past in which api-1 is killed every 15 s and is away for one time after the other.

    ``delays`` are the supervisor's waits before it started the next process.
    """
    past = Past("api-1").phase("chaos", 0.0, EVERY_S * (len(times) + 1))
    good = 0.0
    for number, took in enumerate(times):
        kill = EVERY_S * (number + 1)
        past.ready(good, kill).ready(kill, kill + took, ok=False)
        seen = kill + 0.01
        delay = delays[number] if delays else 0.1
        past.instance(seen, "api-1", "exited", code=-9).instance(seen + delay, "api-1", "starting")
        past.instance(kill + took, "api-1", "ready")
        past.strike("kill", "api-1", f"s{number}", begin=kill, landed=seen, healing=seen, healed=kill + took)
        good = kill + took
    return past.ready(good, EVERY_S * (len(times) + 1))


def test_recoveries_that_grow_fail() -> None:
    """Half a second more each time."""
    result = CHECK.check(cycles([0.5, 1.0, 1.5, 2.0, 2.5]).history())
    assert result.verdict is Verdict.FAIL
    assert "api took longer to recover from cycle to cycle: 0.40 s, then 2.40 s" in result.findings[0].message
    assert len(result.findings[0].story) == 5


def test_recoveries_that_vary_pass_with_mean_maximum_and_trend() -> None:
    """No order in it."""
    result = CHECK.check(cycles([0.6, 1.1, 0.5, 0.9, 0.7]).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["api_mean_s"] == pytest.approx(0.66, abs=0.02)
    assert result.measures["api_max_s"] == pytest.approx(1.0, abs=0.03)
    assert result.measures["api_trend_low_s"] < 0 < result.measures["api_trend_high_s"]
    assert result.measures["api_first_success_mean_s"] == pytest.approx(0.76, abs=0.03)


def test_growth_that_is_small_beside_the_recovery_passes() -> None:
    """A tenth of a second more each time, of ten seconds."""
    assert CHECK.check(cycles([10.0, 10.1, 10.2, 10.3, 10.4]).history()).verdict is Verdict.PASS


def test_the_supervisor_s_own_growing_delay_is_not_the_service_s() -> None:
    """It doubles by design; the service itself takes half a second each time."""
    delays = [0.1, 0.2, 0.4, 0.8, 1.6]
    result = CHECK.check(cycles([0.5 + delay for delay in delays], delays).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["api_max_s"] == pytest.approx(0.5, abs=0.03)


def test_a_few_cycles_are_unknown() -> None:
    """Three points, and the line may go anywhere."""
    assert CHECK.check(cycles([0.5, 1.0, 1.5]).history()).verdict is Verdict.UNKNOWN


def test_a_service_that_was_never_struck_is_unknown() -> None:
    """The trend of another one says nothing about it."""
    both = RecoveryTrend(services=("api", "postgres"))
    assert both.check(cycles([0.5] * 5).history()).verdict is Verdict.UNKNOWN


def test_workers_are_timed_by_their_readiness_and_their_first_task() -> None:
    """Killed every 15 s, ready half a second later, at work 0.2 s after that."""
    past = Past("worker-1").phase("chaos", 0.0, 90.0).ready(0.0, 90.0)
    past.submit(0.5, *(f"T{n}" for n in range(6))).runs(1.0, 2.0, "worker-1", "T0")
    for number in range(1, 6):
        at = EVERY_S * number
        past.kill(at, "worker-1", back=at + 0.5, id=f"s{number}")
        past.runs(at + 0.7, at + 1.7, "worker-1", f"T{number}")
    result = RecoveryTrend(services=("worker",)).check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["worker_cycles"] == 5
    assert result.measures["worker_first_task_max_s"] == pytest.approx(0.7, abs=0.02)


def test_two_times_that_happen_to_be_alike_do_not_hide_growth() -> None:
    """From 1.1 to 2.9 s in five cycles, of which the last two are the same but for 50 ms."""
    assert CHECK.check(cycles([1.14, 1.45, 2.05, 2.88, 2.93]).history()).verdict is Verdict.FAIL


def test_growth_that_is_sure_and_next_to_nothing_passes() -> None:
    """Thirty milliseconds more each time: no run-to-run difference on a busy machine is as small."""
    assert CHECK.check(cycles([0.5, 0.54, 0.56, 0.6, 0.62]).history()).verdict is Verdict.PASS


def test_growth_does_not_excuse_itself() -> None:
    """The limit is a share of the quickest recovery: the median grows with what is to be found."""
    result = CHECK.check(cycles([1.6, 2.1, 2.7, 3.1, 3.3]).history())
    assert result.verdict is Verdict.FAIL
