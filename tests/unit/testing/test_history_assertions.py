"""Assertions on a history: what is broken is told with its story, what can't be told is no success."""

from __future__ import annotations

import pytest

from capsize.core.errors import UsageError
from capsize.core.events import Event, Op, Reported, RunBegan, RunEnded, Witnessed
from capsize.core.experiment import Spec
from capsize.testing import PromiseBroken, RunHistory, Unproved
from capsize.testing.history import FINDINGS_MAX, claims
from support import literal_runs


def accepted(task: str, t: float = 1.0) -> Op:
    """Return an acknowledged submission."""
    return Op(t=t, call="submit", client="c", outcome="ok", planned=t, sent=t, task=task, key=f"k-{task}")


def run(task: str, worker: str, begin: float, end: float, attempt: int = 1) -> list[Event]:
    """Return what a worker announces of one whole run."""
    kinds = (("started", begin), ("finished", end), ("recorded", end + 0.01))
    return [Witnessed(t=t, task=task, event=kind, attempt=attempt, worker=worker) for kind, t in kinds]  # type: ignore[arg-type]


def history(*events: Event, **changes: object) -> RunHistory:
    """Return a whole history with these events."""
    began = RunBegan(t=0.0, run="r", scenario="s", level=1, seed=1, wall=0.0, platform="local")
    told = sorted(events, key=lambda event: event.t)
    return RunHistory(
        [began, *told, RunEnded(t=99.0, how="completed")], literal_runs.experiment(**changes), where="runs/r"
    )


def word(task: str, status: str = "completed") -> Reported:
    """Return the service's last word."""
    return Reported(t=90.0, task=task, status=status, attempts=1)


def test_a_kept_promise_returns_its_figures() -> None:
    """Nothing lost: the assertion says how many tasks it looked at."""
    found = history(accepted("t1"), *run("t1", "w1", 2, 3), word("t1")).assert_nothing_lost()
    assert found.measures["accepted"] == 1


def test_a_lost_task_is_told_with_its_story_and_directory() -> None:
    """The message of the failure is enough to begin with: the task, its life, where the record is."""
    with pytest.raises(PromiseBroken, match="task t1 was never finished") as caught:
        history(accepted("t1"), word("t1", "pending")).assert_nothing_lost()
    assert "1.000 c: submit acknowledged" in str(caught.value)
    assert "run directory: runs/r" in str(caught.value)
    assert isinstance(caught.value, AssertionError)


def test_a_task_done_twice_and_one_in_two_workers_at_once_are_found() -> None:
    """Each assertion is its own checker."""
    twice = history(accepted("t1"), *run("t1", "w1", 2, 3), *run("t1", "w2", 4, 5, attempt=2), word("t1"))
    with pytest.raises(PromiseBroken, match="duplicate"):
        twice.assert_none_twice()
    twice.assert_no_overlap()
    at_once = history(accepted("t1"), *run("t1", "w1", 2, 5), *run("t1", "w2", 3, 4, attempt=2), word("t1"))
    with pytest.raises(PromiseBroken, match="overlap"):
        at_once.assert_no_overlap()


def test_a_service_that_lies_is_found() -> None:
    """Completed by the service's word, never finished by the witness's."""
    with pytest.raises(PromiseBroken, match="misreported"):
        history(accepted("t1"), word("t1")).assert_reported_truthfully()


def test_what_proves_nothing_is_no_success() -> None:
    """Without a task nothing could be lost: that is no proof, and no failure of the service either."""
    with pytest.raises(Unproved, match="UNKNOWN: no task was accepted"):
        history().assert_nothing_lost()
    assert not issubclass(Unproved, AssertionError)


def test_the_plan_s_own_figures_are_used_unless_others_are_given() -> None:
    """A run that was ended with work to do keeps it: the plan says so, and the assertion knows."""
    left = history(
        accepted("t1"), word("t1", "pending"), checkers=(Spec(name="lost", args={"drained": False}),)
    )
    left.assert_nothing_lost()
    with pytest.raises(PromiseBroken):
        left.assert_nothing_lost(drained=True)


def test_every_claim_can_be_asserted_by_its_name_and_no_other() -> None:
    """A typing mistake is no promise that holds."""
    assert {"lost", "recovery"} <= {*claims()}
    with pytest.raises(UsageError, match="did you mean 'lost'"):
        history().assert_holds("lots")
    with pytest.raises(UsageError, match="argument"):
        history().assert_nothing_lost(draned=False)


def test_thousands_of_findings_are_cut_short() -> None:
    """A failure that nobody can read helps nobody."""
    many = [accepted(f"t{number}") for number in range(40)]
    words = [word(f"t{number}", "pending") for number in range(40)]
    with pytest.raises(PromiseBroken, match=f"and {40 - FINDINGS_MAX} more"):
        history(*many, *words).assert_nothing_lost()
