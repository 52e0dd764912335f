"""scaling: the size that was asked for, soon, and at nobody's cost."""

from __future__ import annotations

import pytest

from capsize.checkers.scaling import Scaling
from capsize.core.events import Reported
from capsize.core.verdict import Verdict
from support.histories import Past

DOWN = Scaling(steps={"s1": 1}, down_s=5.0)
UP = Scaling(steps={"s1": 2}, up_s=5.0, first_task_s=3.0)


def shrunk(gone: float = 11.0, code: int = 0) -> Past:
    """Return a past in which two workers become one at 10.0, while worker-2 is inside task T."""
    past = Past("worker-1", "worker-2").phase("chaos", 0.0, 60.0).submit(1.0, "T", "other")
    past.runs(2.0, 30.0, "worker-1", "other")
    past.strike("scale", "worker-1,worker-2", begin=10.0, landed=gone, healing=gone, healed=gone)
    return past.instance(gone, "worker-2", "stopped", code=code)


def finishing(past: Past) -> Past:
    """Have worker-2 finish T before it leaves."""
    return past.runs(9.0, 10.8, "worker-2", "T")


def grown(ready: float = 10.6) -> Past:
    """Return a past in which one worker becomes two at 10.0, while tasks wait in a queue."""
    past = Past("worker-1").phase("chaos", 0.0, 60.0).submit(1.0, *(f"T{n}" for n in range(20)))
    for number in range(15):
        past.runs(2.0 + 2 * number, 4.0 + 2 * number, "worker-1", f"T{number}")
    past.strike("scale", "worker-1", begin=10.0, landed=ready, healing=ready, healed=ready)
    return past.instance(10.1, "worker-2", "starting").instance(ready, "worker-2", "ready")


def test_an_orderly_leave_passes_with_its_figures() -> None:
    """Finished, then gone with code 0."""
    result = DOWN.check(finishing(shrunk()).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["scale_down_max_s"] == pytest.approx(1.0)
    assert (result.measures["left"], result.measures["finished_on_leaving"]) == (1, 1)


def test_handing_back_passes_too() -> None:
    """The other worker takes it later."""
    past = shrunk().starts(9.0, "worker-2", "T").says(10.5, "worker-2", "abandoned", "T")
    result = DOWN.check(past.runs(30.1, 31.0, "worker-1", "T", attempt=2).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["handed_back"] == 1


def test_leaving_without_a_word_about_the_task_fails() -> None:
    """Its process is gone and the task was still open."""
    past = shrunk().starts(9.0, "worker-2", "T").runs(15.0, 16.0, "worker-1", "T", attempt=2)
    result = DOWN.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "left without finishing task T" in result.findings[0].message


def test_a_task_that_is_announced_as_failed_fails() -> None:
    """Being told to leave is no failed attempt."""
    past = shrunk().starts(9.0, "worker-2", "T").says(10.5, "worker-2", "failed", "T")
    result = DOWN.check(past.runs(30.1, 31.0, "worker-1", "T", attempt=2).history())
    assert "announced task T as failed" in result.findings[0].message


@pytest.mark.parametrize("counted", [{"attempts": 1}, {"losses": 1}])
def test_a_leave_that_the_service_counts_against_the_task_fails(counted: dict[str, int]) -> None:
    """Neither a failed attempt nor a lost worker."""
    past = shrunk().starts(9.0, "worker-2", "T").says(10.5, "worker-2", "abandoned", "T")
    past.runs(30.1, 31.0, "worker-1", "T", attempt=2)
    past.add(Reported(t=61.0, task="T", status="completed", **counted))
    assert DOWN.check(past.history()).verdict is Verdict.FAIL


def test_a_worker_that_had_to_be_killed_fails() -> None:
    """Told to leave, it stayed until SIGKILL."""
    result = DOWN.check(finishing(shrunk(gone=14.0, code=-9)).history())
    assert "was to leave and ended with signal 9" in result.findings[0].message


def test_a_slow_step_down_fails() -> None:
    """Eight seconds, five are allowed."""
    result = DOWN.check(finishing(shrunk(gone=18.0)).history())
    assert "took 8.0 s; 5 s is the limit" in result.findings[0].message


def test_a_leave_of_idle_workers_only_is_unknown() -> None:
    """Nothing was at stake."""
    assert DOWN.check(shrunk().history()).verdict is Verdict.UNKNOWN


def test_a_newcomer_that_takes_part_passes_with_its_time() -> None:
    """Ready at 10.6, at work at 10.9."""
    result = UP.check(grown().runs(10.9, 12.9, "worker-2", "T15").history())
    assert result.verdict is Verdict.PASS
    assert result.measures["first_task_max_s"] == pytest.approx(0.3)
    assert result.measures["joined_with_work_waiting"] == 1


def test_a_newcomer_that_lets_work_wait_fails() -> None:
    """Five tasks wait to the end, and it does nothing."""
    result = UP.check(grown().history())
    assert result.verdict is Verdict.FAIL
    assert "worker-2, ready at 10.600 s, began no task" in result.findings[0].message


def test_a_newcomer_that_is_not_ready_in_time_fails() -> None:
    """Nine seconds, five are allowed."""
    result = UP.check(grown(ready=19.0).runs(19.1, 21.0, "worker-2", "T15").history())
    assert "scaling worker from 1 to 2" in result.findings[0].message


def test_a_size_that_is_never_reached_fails() -> None:
    """The new one never comes up."""
    past = Past("worker-1").phase("chaos", 0.0, 60.0).submit(1.0, "T").runs(2.0, 3.0, "worker-1", "T")
    past.strike("scale", "worker-1", begin=10.0, failed=40.0).instance(10.1, "worker-2", "starting")
    result = UP.check(past.history())
    assert "was never done: 1 were there in the end" in result.findings[0].message


def test_a_newcomer_without_work_is_unknown() -> None:
    """There was nothing that it could have taken."""
    past = Past("worker-1").phase("chaos", 0.0, 60.0).submit(1.0, "T").runs(1.1, 3.0, "worker-1", "T")
    past.strike("scale", "worker-1", begin=10.0, landed=10.6, healing=10.6, healed=10.6)
    past.instance(10.1, "worker-2", "starting").instance(10.6, "worker-2", "ready")
    assert UP.check(past.history()).verdict is Verdict.UNKNOWN


def test_a_step_that_was_not_carried_out_is_unknown() -> None:
    """The phase was over before."""
    past = Past("worker-1").phase("chaos", 0.0, 60.0).strike("scale", "", not_carried_out=60.0)
    result = UP.check(past.history())
    assert (result.verdict, result.summary) == (Verdict.UNKNOWN, "1 step not carried out: s1")
