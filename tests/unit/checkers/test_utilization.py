"""utilization: while work waits, those who are there do it."""

from __future__ import annotations

import pytest

from capsize.checkers.utilization import Utilization
from capsize.core.verdict import Verdict
from support.histories import Past


def queued(*working: str) -> Past:
    """Return a past with forty tasks from 1.0 on, done one after the other by the workers named, of two that are up."""
    past = Past("worker-1", "worker-2").phase("chaos", 0.0, 30.0).submit(1.0, *(f"T{n}" for n in range(40)))
    for number in range(20):
        for worker in working:
            past.runs(1.1 + number, 2.1 + number, worker, f"T{number}{worker[-1]}")
    for number in range(40):
        past.runs(21.5 + number / 10, 21.6 + number / 10, "worker-1", f"T{number}")
    return past


def test_a_worker_that_looks_on_fails() -> None:
    """One of two does it all: half of what was there is used."""
    result = Utilization(min=0.75).check(queued("worker-1").history())
    assert result.verdict is Verdict.FAIL
    assert result.measures["utilization_ratio"] == pytest.approx(0.5, abs=0.1)


def test_busy_workers_pass() -> None:
    """Both, nearly all the time."""
    result = Utilization(min=0.75).check(queued("worker-1", "worker-2").history())
    assert result.verdict is Verdict.PASS
    assert result.measures["utilization_ratio"] > 0.85


def test_without_a_queue_it_is_unknown() -> None:
    """Idle workers with nothing to do are no waste."""
    past = Past("worker-1").phase("chaos", 0.0, 30.0)
    for second in range(1, 20):
        past.submit(second, f"T{second}").runs(second + 0.1, second + 0.9, "worker-1", f"T{second}")
    assert Utilization().check(past.history()).verdict is Verdict.UNKNOWN
