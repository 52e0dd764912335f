"""database_load: locks move on, connections suffice, statements are quick."""

from __future__ import annotations

from typing import Any

from capsize.checkers.database_load import DatabaseLoad
from capsize.core.verdict import Verdict
from support.histories import Past


def looked(count: int = 20, **changed: Any) -> Past:
    """Return a past with so many looks into a healthy database; ``changed`` holds for the last one."""
    past = Past().phase("chaos", 0.0, 60.0)
    for number in range(count):
        values = {
            "latency_s": 0.004,
            "connections": 12,
            "connections_allowed": 100,
            "active": 2,
            "waiting": 0,
            "lock_wait_s": 0.0,
            "transaction_s": 0.01,
            "deadlocks": 3,
            "commits": 100 * number,
        }
        past.sample(1.0 + number, "database_load", **(values | (changed if number == count - 1 else {})))
    return past


def test_deadlocks_fail() -> None:
    """Five that were counted since the first look; three are from before."""
    result = DatabaseLoad().check(looked(deadlocks=8).history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].message == "the database broke up 5 deadlocks"


def test_a_long_wait_for_a_lock_fails() -> None:
    """Three seconds, two are allowed."""
    assert DatabaseLoad().check(looked(lock_wait_s=3.0).history()).verdict is Verdict.FAIL


def test_used_up_connections_fail() -> None:
    """95 of 100."""
    assert DatabaseLoad().check(looked(connections=95).history()).verdict is Verdict.FAIL


def test_slow_statements_fail() -> None:
    """The slowest of twenty is the 99th percentile."""
    assert DatabaseLoad().check(looked(latency_s=0.9).history()).verdict is Verdict.FAIL


def test_a_healthy_database_passes_with_its_figures() -> None:
    """What is compared with is told."""
    past = looked().phase("steady", -2.0, -1.0).sample(-1.5, "database", up=True, latency_s=0.001)
    result = DatabaseLoad().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["connections_max"] == 12
    assert result.measures["deadlocks"] == 0
    assert result.measures["commits"] == 1900
    assert result.measures["statement_before_p50_s"] == 0.001


def test_few_looks_are_unknown() -> None:
    """Also when a probe could not get at the database at all."""
    assert DatabaseLoad().check(looked(3).history()).verdict is Verdict.UNKNOWN
