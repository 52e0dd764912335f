"""reported: fires when the service calls too little done, and is open without its last word."""

from __future__ import annotations

from capsize.checkers.reported import ReportedDone
from capsize.core.events import Event, Op, Reported
from capsize.core.history import History
from capsize.core.verdict import Verdict


def _accepted(task: str) -> Op:
    return Op(
        t=1.0, call="submit", client="tasks", outcome="ok", planned=0.9, sent=0.9, key=f"k-{task}", task=task
    )


def _judge(*events: Event, minimum: float = 1.0) -> tuple[Verdict, int]:
    result = ReportedDone(min=minimum).check(History(events))
    return result.verdict, len(result.findings)


def test_all_completed_passes() -> None:
    """Every accepted task is completed by the service's word."""
    word = Reported(t=9.0, task="a", status="completed")
    assert _judge(_accepted("a"), word) == (Verdict.PASS, 0)


def test_an_unfinished_task_fails_and_is_named() -> None:
    """One of two tasks is still pending at the end: FAIL with that task's story."""
    words = (Reported(t=9.0, task="a", status="completed"), Reported(t=9.0, task="b", status="pending"))
    assert _judge(_accepted("a"), _accepted("b"), *words) == (Verdict.FAIL, 1)
    assert _judge(_accepted("a"), _accepted("b"), *words, minimum=0.5) == (Verdict.PASS, 0)


def test_no_last_word_is_unknown() -> None:
    """A task that the service was not asked about, or did not answer for, proves nothing."""
    assert _judge(_accepted("a"))[0] is Verdict.UNKNOWN
    assert _judge()[0] is Verdict.UNKNOWN
