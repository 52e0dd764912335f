"""The steady-state hypothesis: each of its tolerances, with a literal history in which it holds and one in which not."""

from __future__ import annotations

import pytest

from capsize.checkers.steady import Steady, looks
from capsize.core.hypothesis import Hypothesis, Steadiness
from capsize.core.verdict import Verdict
from support.histories import Past


def good() -> Past:
    """Return a second of good answers, quick calls and an empty queue, with one instance up."""
    return Past("api-1").ready(0.0, 1.0).api(0.0, 1.0).stats(0.2).stats(0.9)


def broken(past: Past, hypothesis: Hypothesis | None = None, *, at: float | None = None) -> tuple[str, ...]:
    """Return what does not hold at the end of a past, or at another moment after it."""
    steadiness = Steadiness(hypothesis)
    history = past.history()
    for event in history:
        steadiness.observe(event)
    return steadiness.broken(history.end_s if at is None else at)


def test_what_is_normal_holds() -> None:
    """Nothing to object to, and `steady` says the same in one word."""
    assert broken(good()) == ()


def test_without_enough_looks_nothing_is_known() -> None:
    """Nine good answers are not ten."""
    assert broken(Past("api-1").ready(0.0, 0.18)) == ("only 9 of 10 readiness answers so far",)


@pytest.mark.parametrize(("least", "holds"), [(0.99, False), (0.9, True)])
def test_the_share_of_good_answers_has_a_tolerance(least: float, holds: bool) -> None:
    """One bad look among the last ten breaks 99% and not 90%."""
    past = good().ready(1.0, 1.02, ok=False).ready(1.02, 1.1)
    assert (broken(past, Hypothesis(ready_min=least)) == ()) is holds


def test_slow_calls_break_it_until_they_leave_the_window() -> None:
    """Two seconds later they are history."""
    past = good().api(0.0, 0.2, takes=1.5)
    assert broken(past) == ("the API's p99 was 1.500 s, above 1 s",)
    assert broken(past, at=4.0) == ()
    assert broken(past, Hypothesis(api_p99_max_s=None)) == ()


def test_a_call_that_capsize_sent_late_accuses_nobody() -> None:
    """Latency counts from the planned time, but not the lateness of capsize's own loop."""
    past = good().op(2.0, "api:me", planned=0.5, sent=1.99)
    assert broken(past) == ()


def test_a_growing_queue_breaks_it_and_a_long_one_does_not() -> None:
    """What stands or drains is normal; three more is within the tolerance, four are not."""
    assert broken(good().stats(1.0, pending=3)) == ()
    assert broken(good().stats(1.0, pending=4)) == ("the queue grew by 4 tasks, more than 3",)
    long = Past("api-1").ready(0.0, 1.0).stats(0.2, pending=500).stats(0.9, pending=480)
    assert broken(long) == ()


def test_an_instance_that_is_away_breaks_it_and_one_taken_down_on_purpose_does_not() -> None:
    """Killed and coming back is not normal; scaled down is."""
    assert broken(good().exits(0.5, "worker-1")) == ("not ready: worker-1",)
    assert broken(good().exits(0.5, "worker-1", back=0.8)) == ()
    assert broken(good().up(0.1, "worker-2").instance(0.5, "worker-2", "stopped")) == ()


def test_the_checker_looks_with_the_runner_s_eyes() -> None:
    """At each moment of a history the checker's look is what the live evaluation said then."""
    past = good().exits(0.45, "api-1", back=0.75)
    found = dict(looks(past.history(), Hypothesis()))
    assert found[0.4] == ()
    assert found[0.5] == ("not ready: api-1",)
    assert found[0.8] == ()


@pytest.mark.parametrize(("least", "holds"), [(1.0, False), (0.95, True)])
def test_api_calls_must_succeed_as_often_as_asked(least: float, holds: bool) -> None:
    """One failure among the calls of the window breaks 100% and not 95%; two seconds later it is history."""
    past = good().api(1.0, 1.05, ok=False)
    assert (broken(past, Hypothesis(api_success_min=least)) == ()) is holds
    assert broken(past, Hypothesis(api_success_min=least), at=4.0) == ()
    assert broken(past) == ()


def test_waiting_for_a_first_run_has_a_limit() -> None:
    """Begun, or cancelled, it waits no longer; a start that was heard before the acknowledgement counts as well."""
    asked = Hypothesis(waiting_max_s=1.0)
    past = good().submit(0.5, "T1", "T2").starts(0.4, "worker-1", "T3").submit(0.5, "T3")
    assert broken(past, asked, at=1.4) == ()
    assert broken(past, asked, at=2.0) == ("a task has waited 1.5 s for its first run, over 1 s",)
    past.starts(1.0, "worker-1", "T1").op(1.0, "cancel", task="T2")
    assert broken(past, asked, at=9.0) == ()


def test_instances_must_be_there_in_full_number() -> None:
    """Also one that was taken down on purpose is missing then; one that never came is as well."""
    asked = Hypothesis(instances={"api": 1, "worker": 2})
    past = good().up(0.1, "worker-1")
    assert broken(past, asked) == ("only 1 of 2 instances of worker ready",)
    assert broken(past.up(0.2, "worker-2"), asked) == ()
    assert broken(past.instance(0.5, "worker-2", "stopped"), asked) == (
        "only 1 of 2 instances of worker ready",
    )


def test_the_database_must_answer_beside_the_service() -> None:
    """The last look counts; without any the platform may have no way to it."""
    asked = Hypothesis(database=True)
    assert broken(good(), asked) == ()
    past = good().sample(0.5, "database", up=False, error="refused")
    assert broken(past, asked) == ("the database does not answer",)
    assert broken(past) == ()
    assert broken(past.sample(0.9, "database", up=True), asked) == ()


def test_named_circuits_must_be_closed() -> None:
    """Another circuit than those named may be open; a look that failed says nothing."""
    asked = Hypothesis(circuits_closed=("call",))
    past = good().sample(0.5, "breaker", call="closed", unknown="open")
    assert broken(past, asked) == ()
    past.sample(0.6, "breaker", call="half_open").sample(0.7, "breaker", error="no answer")
    assert broken(past, asked) == ("the circuit of call is half_open",)


def test_every_tolerance_is_told() -> None:
    """What is asked is a sentence, and what is not asked is none."""
    assert len(Hypothesis().told) == 4
    everything = Hypothesis(
        api_success_min=0.99,
        waiting_max_s=2.0,
        instances={"api": 1},
        database=True,
        circuits_closed=("call",),
    )
    assert len(everything.told) == 9
    assert "no accepted task waits over 2 s for its first run" in everything.told


def _run() -> Past:
    return Past("api-1").phase("steady", 0.0, 2.0).phase("chaos", 2.0, 6.0).phase("recovery", 6.0, 8.0)


def test_the_share_of_the_chaos_in_which_it_held_is_measured() -> None:
    """A worker away for one of four seconds: three quarters."""
    past = _run().ready(0.0, 8.0).exits(3.0, "worker-1", back=4.0)
    assert Steady().check(past.history()).measures["held_in_chaos_ratio"] == pytest.approx(0.75, abs=0.03)


def test_a_steady_state_that_does_not_come_back_fails() -> None:
    """Readiness alone is not enough: a worker that stays away is no steady state, with the moments as evidence."""
    past = _run().ready(0.0, 8.0).exits(3.0, "worker-1")
    result = Steady().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "not ready: worker-1" in result.summary
    assert result.findings[0].story
    asked = Hypothesis(instances_ready=False)
    assert Steady(hypothesis=asked).check(past.history()).verdict is Verdict.PASS


def test_one_slow_call_at_the_very_end_is_no_failure() -> None:
    """It held within the last window: a hiccup of the machine in the last moment accuses nobody."""
    past = _run().ready(0.0, 8.0).api(0.0, 6.5).op(7.9, "api:me", planned=6.7, sent=6.7)
    assert Steady().check(past.history()).verdict is Verdict.PASS


def test_without_any_harm_the_steady_state_must_last() -> None:
    """A baseline has no chaos: an instance that goes away in it and stays away is a failure, one that returns none."""
    past = Past("api-1").phase("steady", 0.0, 1.0).phase("drain", 1.0, 8.0).ready(0.0, 8.0)
    past.exits(3.0, "worker-1")
    result = Steady().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "nothing was harmed" in result.summary
    assert Steady().check(past.up(5.0, "worker-1").history()).verdict is Verdict.PASS
