"""throughput: a backlog is worked off at a steady pace."""

from __future__ import annotations

import pytest

from capsize.checkers.throughput import Throughput
from capsize.core.verdict import Verdict
from support.histories import Past


def worked(rates: list[float], part_s: float = 5.0) -> Past:
    """Return a past in which a backlog from 1.0 on is worked off at one rate after the other."""
    past = Past("worker-1").phase("chaos", 0.0, 100.0)
    at, number = 1.0, 0
    for rate in rates:
        for _ in range(round(rate * part_s)):
            past.submit(0.9, f"T{number}").runs(at, at + 1 / rate, "worker-1", f"T{number}")
            at, number = at + 1 / rate, number + 1
    return past


def test_too_slow_fails() -> None:
    """Five tasks a second, ten are required."""
    result = Throughput(min_per_s=10.0).check(worked([5.0, 5.0, 5.0]).history())
    assert result.verdict is Verdict.FAIL
    assert "10.0 are required" in result.findings[0].message


def test_a_collapse_fails_although_the_average_is_good() -> None:
    """From forty to four a second."""
    result = Throughput(min_per_s=10.0).check(worked([40.0, 20.0, 4.0]).history())
    assert result.verdict is Verdict.FAIL
    assert "the throughput fell" in result.findings[0].message


def test_a_steady_pace_passes_with_its_rate() -> None:
    """Twenty a second as long as ten or more wait."""
    result = Throughput(min_per_s=10.0).check(worked([20.0, 20.0, 20.0]).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["finished_per_s"] == pytest.approx(20.0, rel=0.05)
    assert result.measures["backlog_s"] == pytest.approx(14.6, abs=0.3)


def test_without_a_backlog_it_is_unknown() -> None:
    """Workers that had nothing to do were not measured."""
    past = Past("worker-1").phase("chaos", 0.0, 100.0)
    for number in range(50):
        past.submit(number, f"T{number}").runs(number + 0.01, number + 0.1, "worker-1", f"T{number}")
    assert Throughput(min_per_s=10.0).check(past.history()).verdict is Verdict.UNKNOWN
