"""Tasks that fail: others do not suffer, attempts are spent on calls, retries wait, dead letters are kept."""

from __future__ import annotations

import pytest

from capsize.checkers import judge
from capsize.checkers.attempts import Attempts
from capsize.checkers.dead_letters import DeadLetters
from capsize.checkers.isolation import Isolation
from capsize.checkers.lost import Lost
from capsize.checkers.retry_backoff import RetryBackoff
from capsize.core.events import Reported
from capsize.core.verdict import Verdict
from support.histories import Past, experiment

ISOLATION = Isolation(failures=5, open_s=2.0, timeout_s=1.0)


def others(past: Past, begin: float, end: float, *, wait: float = 0.02, done: bool = True) -> Past:
    """Tasks that have nothing to do with the outside service, five a second."""
    for number in range(round((end - begin) * 5)):
        t = round(begin + number / 5, 3)
        past.submit(t, f"D{t}", client="delays")
        if done:
            past.runs(round(t + wait, 3), round(t + wait + 0.1, 3), "worker-1", f"D{t}")
    return past


def spell(calls: int = 5) -> Past:
    """An outside service that is bad from 10 to 20, and is called so often."""
    past = Past("worker-1", "worker-2").becomes(10.0, "hang")
    for number in range(calls):
        past.calls(round(10.1 + number * 0.2, 3), f"key-{number}", "hang")
    return past.becomes(20.0, "ok")


# ---------------------------------------------------------------- isolation


def test_others_that_go_on_as_before_pass() -> None:
    """The same wait before and while the circuit is open; a little more is let pass."""
    for wait in (0.02, 0.4):
        past = others(others(spell(), 0.0, 10.0), 10.0, 25.0, wait=wait)
        result = ISOLATION.check(past.history())
        assert result.verdict is Verdict.PASS, result.summary
        assert result.measures["wait_before_p95_s"] == pytest.approx(0.018, abs=0.02)


def test_others_that_wait_or_are_not_done_are_found() -> None:
    """Workers that are blocked make all wait; one circuit for all types stops the others altogether."""
    slow = others(others(spell(), 0.0, 10.0), 10.0, 25.0, wait=1.5)
    stopped = others(others(spell(), 0.0, 10.0), 10.0, 25.0, done=False)
    never_opened = others(others(spell(calls=45), 0.0, 10.0), 10.0, 25.0, wait=1.5)
    for past in (slow, stopped, never_opened):
        result = ISOLATION.check(past.history())
        assert (result.verdict, result.findings[0].anomaly) == (Verdict.FAIL, "isolation")


def test_too_few_others_are_unknown() -> None:
    """None before, none meanwhile, or no spell at all."""
    assert ISOLATION.check(others(spell(), 10.0, 25.0).history()).verdict is Verdict.UNKNOWN
    assert ISOLATION.check(others(spell(), 0.0, 10.0).history()).verdict is Verdict.UNKNOWN
    assert ISOLATION.check(others(Past("worker-1"), 0.0, 20.0).history()).verdict is Verdict.UNKNOWN


# ---------------------------------------------------------------- attempts


def caller(attempts: int, *, calls: int = 2) -> Past:
    """A task that made two calls and counts so many failed attempts."""
    past = Past("worker-1").submit(1.0, "T", client="calls")
    for number in range(calls):
        past.calls(2.0 + number, "key-T", "fail")
    return past.add(Reported(t=9.0, task="T", status="completed", attempts=attempts))


def test_attempts_with_calls_pass_and_without_fail() -> None:
    """Two failed attempts for two calls; three for two are one too many."""
    assert Attempts().check(caller(2).history()).verdict is Verdict.PASS
    assert Attempts().check(caller(1).history()).verdict is Verdict.PASS
    result = Attempts().check(caller(3).history())
    assert (result.verdict, result.findings[0].task) == (Verdict.FAIL, "T")


def test_a_refused_connection_is_an_attempt() -> None:
    """Nobody listened, and the run failed: that is a call that left no other trace."""
    past = caller(3).becomes(5.0, "refuse").becomes(7.0, "ok").starts(6.0, "worker-1", "T", 3)
    past.says(6.1, "worker-1", "failed", "T", 3)
    assert Attempts().check(past.history()).verdict is Verdict.PASS


def test_no_failed_attempt_is_unknown() -> None:
    """Nothing failed, or nobody asked the service."""
    assert Attempts().check(caller(0).history()).verdict is Verdict.UNKNOWN
    assert Attempts().check(Past().submit(1.0, "T", client="calls").history()).verdict is Verdict.UNKNOWN


# ---------------------------------------------------------------- backoff


def retried(*waits: float) -> Past:
    """A task that fails in 0.1 s each time and is begun again after these waits."""
    past, t = Past("worker-1").submit(0.5, "T"), 1.0
    for attempt, wait in enumerate((*waits, 0.0), start=1):
        past.starts(t, "worker-1", "T", attempt).says(round(t + 0.1, 3), "worker-1", "failed", "T", attempt)
        t = round(t + 0.1 + wait, 3)
    return past


def test_waits_that_grow_pass() -> None:
    """Half of the doubled base is the least; longer is always fine."""
    for waits in ((0.5, 1.0, 2.0), (3.0, 1.1)):
        result = RetryBackoff(base_s=1.0).check(retried(*waits).history())
        assert result.verdict is Verdict.PASS, result.summary


@pytest.mark.parametrize("waits", [(0.0,), (0.3,), (0.6, 0.6), (0.5, 1.0, 1.5)])
def test_retries_at_once_or_without_growth_are_found(waits: tuple[float, ...]) -> None:
    """A storm, and a backoff that stays the same."""
    result = RetryBackoff(base_s=1.0).check(retried(*waits).history())
    assert (result.verdict, result.findings[0].anomaly) == (Verdict.FAIL, "retry_backoff")


def test_what_was_lost_with_its_worker_may_begin_at_once() -> None:
    """No failed attempt was tried again: nothing is known of backoff."""
    past = Past("worker-1", "worker-2").submit(0.5, "T").starts(1.0, "worker-1", "T")
    past.kill(1.5, "worker-1", back=2.0).runs(1.6, 1.9, "worker-2", "T", 2)
    assert RetryBackoff(base_s=1.0).check(past.history()).verdict is Verdict.UNKNOWN


# ---------------------------------------------------------------- dead letters


def letters(*dead: str, error: str = "UnknownType", status: str = "failed") -> Past:
    """Two tasks of an unknown type and one that is done; these are in the dead-letter queue."""
    past = Past("worker-1").submit(1.0, "U1", "U2", client="unknown").submit(1.0, "T", client="calls")
    past.runs(2.0, 2.1, "worker-1", "T")
    for task in ("U1", "U2", "T"):
        listed = task in dead
        said = status if task != "T" or listed else "completed"
        past.add(Reported(t=9.0, task=task, status=said, dead_lettered=listed, error=error, attempts=1))
    return past


def test_all_of_the_unknown_type_and_nothing_else_passes() -> None:
    """Both are listed with an error; counted in time."""
    past = letters("U1", "U2").stats(3.0, completed=1, failed=2).stats(8.0, completed=1, failed=2)
    result = DeadLetters().check(past.history())
    assert (result.verdict, result.measures["dead_lettered"]) == (Verdict.PASS, 2)


@pytest.mark.parametrize(
    "past",
    [
        letters("U1"),
        letters("U1", status="missing"),
        letters("U1", "U2", error=""),
        letters("U1", "U2", "T"),
        letters("U1", "U2").stats(7.0, pending=2, completed=1),
    ],
    ids=["not listed", "dropped", "without an error", "another one too", "late"],
)
def test_a_dead_letter_queue_that_is_wrong_is_found(past: Past) -> None:
    """It drops, forgets why, takes in what could still succeed, or comes late."""
    result = DeadLetters().check(past.history())
    assert (result.verdict, result.findings[0].anomaly) == (Verdict.FAIL, "dead_letters")


def test_without_such_tasks_or_a_last_word_nothing_is_known() -> None:
    """None was accepted; or the service was not asked."""
    assert DeadLetters().check(Past().submit(1.0, "T", client="calls").history()).verdict is Verdict.UNKNOWN
    assert DeadLetters().check(Past().submit(1.0, "U", client="unknown").history()).verdict is Verdict.UNKNOWN


def test_failed_and_not_listed_is_lost() -> None:
    """Nobody will ever see such a task; one that is listed is kept."""
    past = Past().submit(1.0, "T").add(Reported(t=9.0, task="T", status="failed", dead_lettered=False))
    assert Lost().check(past.history()).verdict is Verdict.FAIL
    assert (
        Lost().check(Past().submit(1.0, "T").reported(9.0, "failed", "T").history()).verdict is Verdict.PASS
    )


# ---------------------------------------------------------------- no false alarm


def test_tasks_that_fail_by_design_are_no_anomaly() -> None:
    """Retried with backoff until they succeed, or refused and dead-lettered: every delivery claim holds."""
    past = (
        Past("worker-1", "worker-2")
        .began()
        .submit(1.0, "T", client="calls")
        .submit(1.0, "U", client="unknown")
    )
    past.starts(1.1, "worker-1", "T").says(2.1, "worker-1", "failed", "T")
    # The failure could not be recorded any more: the run had been taken back.
    past.says(2.2, "worker-1", "abandoned", "T").starts(3.0, "worker-2", "T", 2)
    past.says(3.1, "worker-2", "failed", "T", 2).runs(5.2, 5.3, "worker-1", "T", 3)
    past.stats(6.0, completed=1, failed=1).phase("chaos", 0.0, 8.0)
    past.reported(9.0, "completed", "T").reported(9.0, "failed", "U").ends(10.0)
    claims = ("lost", "duplicate", "overlap", "stuck", "misreported", "resurrected", "unaccounted", "ended")
    judgement = judge(experiment(*claims), past.history())
    told = [(result.checker, result.summary) for result in judgement.results if result.verdict]
    assert judgement.verdict is Verdict.PASS, told
