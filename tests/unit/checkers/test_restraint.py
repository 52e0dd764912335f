"""restraint: nobody spins while the database is away."""

from __future__ import annotations

from capsize.checkers.bounded_answers import BoundedAnswers
from capsize.checkers.restraint import Restraint
from capsize.core.verdict import Verdict
from support.histories import Past


def hold(**shares: float) -> Past:
    """PostgreSQL is stopped from 10 to 16; the processes use these shares of a core meanwhile."""
    past = Past("worker-1", "api-1", "postgres")
    past.strike("stop", "postgres", begin=10.0, landed=10.1, healing=16.0, healed=16.2)
    for t in range(5, 20):
        for name, share in shares.items():
            used = share if 10 < t <= 16 else 0.9
            past.sample(t + 0.5, "resources", subject=name.replace("_", "-"), cpu_share=used)
    return past


def test_processes_that_wait_pass() -> None:
    """A little work is fine, and so is any amount while the database is there."""
    result = Restraint().check(hold(worker_1=0.02, api_1=0.3).history())
    assert (result.verdict, result.measures["cpu_share_max"]) == (Verdict.PASS, 0.3)


def test_a_process_that_spins_is_found() -> None:
    """It asks again and again without a pause."""
    result = Restraint().check(hold(worker_1=0.97, api_1=0.1).history())
    assert (result.verdict, result.findings[0].anomaly) == (Verdict.FAIL, "restraint")
    assert "worker-1" in result.findings[0].message


def test_starting_and_frozen_processes_are_left_out() -> None:
    """Starting takes a core for a moment; one that is frozen says nothing. Nobody else was looked at: unknown."""
    past = hold(worker_1=0.97)
    for t in (10.0, 12.0, 14.0):
        past.kill(t, "worker-1", back=t + 1.5, id=f"k{t}")
    assert Restraint().check(past.history()).verdict is Verdict.UNKNOWN
    assert (
        Restraint().check(hold(worker_1=0.97).pause(9.0, 17.0, "worker-1", "p").history()).verdict
        is Verdict.UNKNOWN
    )


def test_without_a_hold_nothing_is_known() -> None:
    """No strike on the database, or one that was over at once."""
    past = Past("worker-1").sample(5.0, "resources", subject="worker-1", cpu_share=0.9)
    assert Restraint().check(past.history()).verdict is Verdict.UNKNOWN
    assert Restraint(required=False).check(past.history()).verdict is Verdict.PASS
    assert BoundedAnswers(required=False).check(past.history()).verdict is Verdict.PASS


def refused(*, killed: bool) -> Past:
    """The API refuses connections from 6 to 8, in an outage of PostgreSQL from 5 to 9."""
    past = Past("postgres").up(0.0, "api-1")
    past.strike("stop", "postgres", begin=5.0, landed=5.0, healing=9.0, healed=9.0)
    past.ready(0.0, 5.0).ready(5.0, 9.2, ok=False).ready(9.2, 15.0)
    past.api(5.1, 5.9, ok=False, status=503)
    past.api(6.0, 8.0, ok=False, status=None, error="connection refused")
    if killed:
        return past.kill(5.95, "api-1", back=9.1, id="s2")
    return past.exits(5.95, "api-1", back=9.1, code=1)


def test_an_api_that_capsize_took_away_need_not_answer() -> None:
    """Killed in the outage it is excused; gone by itself, because of the outage, it is not."""
    checker = BoundedAnswers(api="api")
    assert checker.check(refused(killed=True).history()).verdict is Verdict.PASS
    assert checker.check(refused(killed=False).history()).verdict is Verdict.FAIL
    assert BoundedAnswers().check(refused(killed=True).history()).verdict is Verdict.FAIL
