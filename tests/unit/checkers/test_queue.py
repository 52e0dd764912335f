"""queue: it fills, and it empties."""

from __future__ import annotations

from capsize.checkers.queue import Queue
from capsize.core.verdict import Verdict
from support.histories import Past

CHECK = Queue(settle_s=10.0, near=2, peak_min=5)


def flooded(end: float = 60.0) -> Past:
    """Return a past with forty tasks that all came in by 5.0, and a queue that was looked at until then."""
    past = Past("worker-1").phase("chaos", 0.0, end)
    for number in range(40):
        past.submit(1.0 + number / 10, f"T{number}")
    for second in range(1, 6):
        past.stats(float(second), pending=8 * second)
    return past


def drained(past: Past, by: float) -> Past:
    """Have the tasks run so that the last one begins then."""
    for number in range(40):
        at = by - (39 - number) / 20
        past.runs(at, at + 0.05, "worker-1", f"T{number}")
    return past


def test_a_queue_that_does_not_empty_fails() -> None:
    """Nobody works, and the limit is long over."""
    past = flooded()
    for second in range(6, 60):
        past.stats(float(second), pending=40)
    result = CHECK.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "40 tasks still queued" in result.findings[0].message


def test_a_queue_that_grows_when_nothing_comes_in_fails() -> None:
    """More and more pending: something makes work of its own."""
    past = flooded()
    for second in range(6, 60):
        past.stats(float(second), pending=40 + 2 * second)
    result = CHECK.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "grew by 2.0 tasks/s" in result.findings[0].message


def test_a_queue_that_empties_too_slowly_fails() -> None:
    """Thirty seconds, ten are allowed."""
    past = drained(flooded(), by=35.0)
    for second in range(6, 35):
        past.stats(float(second), pending=40 - second)
    result = CHECK.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "10 s is the limit" in result.findings[0].message


def test_a_queue_that_empties_passes_with_its_depth() -> None:
    """Five seconds after the last came in."""
    result = CHECK.check(drained(flooded(), by=10.0).stats(7.0, pending=30).stats(11.0).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["depth_max"] == 40
    assert 4.0 < result.measures["drained_s"] < 6.0


def test_a_run_that_ends_sooner_is_unknown() -> None:
    """It may have emptied yet."""
    assert CHECK.check(flooded(end=8.0).history()).verdict is Verdict.UNKNOWN


def test_nobody_looked_or_nothing_queued_is_unknown() -> None:
    """No depth, no proof."""
    empty = Past("worker-1").phase("chaos", 0.0, 60.0).submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1")
    assert CHECK.check(empty.history()).verdict is Verdict.UNKNOWN
    assert CHECK.check(empty.stats(3.0).history()).verdict is Verdict.UNKNOWN
