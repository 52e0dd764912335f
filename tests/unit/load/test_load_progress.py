"""What the run knows of its tasks, as literal histories in and sets out."""

from __future__ import annotations

import pytest

from capsize.core.events import Event, InstanceChanged, Op, Reported, Sample, Witnessed
from capsize.load.progress import LiveProgress


def op(t, task, outcome="ok"):
    return Op(t=t, call="submit", client="tasks", outcome=outcome, planned=t, sent=t, task=task)


def said(t, task, event, worker="worker-1", attempt=1):
    return Witnessed(t=t, task=task, event=event, attempt=attempt, worker=worker)


def instance(t, name, state):
    return InstanceChanged(t=t, instance=name, service="worker", state=state)


def counts(t, began, **values):
    return Sample(t=t, probe="stats", began=began, values=values)


def after(*events: Event) -> LiveProgress:
    progress = LiveProgress()
    for event in events:
        progress.observe(event)
    return progress


def test_nothing_is_known_at_first():
    """Before any event every set is empty."""
    progress = after()
    assert (progress.acknowledged(), progress.over(), progress.busy()) == (frozenset(),) * 3


def test_only_a_good_answer_acknowledges():
    """Indeterminate and refused submissions and ops of no task do not count; a repeat counts once."""
    progress = after(op(1, "a"), op(2, "a"), op(3, "b", "info"), op(4, "c", "fail"), op(5, None))
    assert progress.acknowledged() == {"a"}


def test_views_follow_later_events():
    """A set that was asked for once is not frozen for ever."""
    progress = after(op(1, "a"), said(2, "a", "recorded"))
    assert (progress.acknowledged(), progress.over()) == ({"a"}, {"a"})
    progress.observe(op(3, "b"))
    progress.observe(said(4, "b", "recorded"))
    assert (progress.acknowledged(), progress.over()) == ({"a", "b"}, {"a", "b"})


def test_a_task_is_over_when_recorded_and_not_when_finished():
    """Between the effect and its commit a task may still have to run again."""
    progress = after(said(1, "a", "started"), said(2, "a", "finished"))
    assert progress.over() == frozenset()
    progress.observe(said(3, "a", "recorded"))
    assert progress.over() == {"a"}


@pytest.mark.parametrize(
    ("status", "over"),
    [("completed", True), ("failed", True), ("cancelled", True), ("pending", False), ("running", False), ("missing", False)],
)  # fmt: skip
def test_the_service_may_report_a_task_over(status, over):
    """A final state counts; one that needs work, or a task unknown to the service, does not."""
    assert bool(after(Reported(t=1, task="a", status=status)).over()) is over


def test_counts_without_open_work_end_what_was_acknowledged_before_the_look():
    """A worker that died between commit and announcement leaves a task that only the counts tell of."""
    progress = after(op(1, "a"), op(3, "b"), counts(4, 2, created=2, pending=0, running=0))
    assert progress.over() == {"a"}


@pytest.mark.parametrize(
    "values", [{"pending": 1, "running": 0}, {"pending": 0, "running": 1}, {"pending": 0}, {}]
)
def test_counts_with_open_work_or_none_end_nothing(values):
    """Only a full statement of no open work counts."""
    assert after(op(1, "a"), counts(3, 2, **values)).over() == frozenset()


def test_a_failed_look_or_another_probe_ends_nothing():
    """A sample with an error says nothing, and neither does a probe of something else."""
    none = {"pending": 0, "running": 0}
    failed = Sample(t=3, probe="stats", began=2, values=none, error="answered 503")
    other = Sample(t=3, probe="resources", began=2, values=none)
    assert after(op(1, "a"), failed, other).over() == frozenset()


@pytest.mark.parametrize("end", ["finished", "recorded", "abandoned", "failed"])
def test_a_worker_is_busy_from_started_to_the_end_of_that_run(end):
    """Each kind of end frees it."""
    progress = after(said(1, "a", "started"))
    assert progress.busy() == {"worker-1"}
    assert progress.inside() == {"worker-1": {"a"}}
    progress.observe(said(2, "a", end))
    assert progress.busy() == frozenset()


def test_the_end_of_one_run_leaves_the_others():
    """Runs are told apart by task, attempt and worker."""
    progress = after(
        said(1, "a", "started"),
        said(2, "b", "started"),
        said(3, "a", "started", worker="worker-2", attempt=2),
        said(4, "a", "finished", worker="worker-2", attempt=2),
    )
    assert progress.inside() == {"worker-1": {"a", "b"}}


@pytest.mark.parametrize("state", ["exited", "stopped", "gave_up"])
def test_an_instance_that_is_gone_is_not_busy(state):
    """Its runs end with it; those of others go on."""
    progress = after(
        said(1, "a", "started"), said(1, "b", "started", worker="worker-2"), instance(2, "worker-1", state)
    )
    assert progress.busy() == {"worker-2"}


def test_a_late_announcement_of_the_dead_makes_nobody_busy():
    """It was under way when its sender died; after the restart the name counts again."""
    progress = after(instance(1, "worker-1", "exited"), said(2, "a", "started"))
    assert progress.busy() == frozenset()
    progress.observe(instance(3, "worker-1", "starting"))
    progress.observe(said(4, "a", "started", attempt=2))
    assert progress.busy() == {"worker-1"}


def test_a_repeated_announcement_makes_nobody_busy_again():
    """A started that is delivered twice, the second time after the end, changes nothing."""
    progress = after(said(1, "a", "started"), said(2, "a", "finished"), said(3, "a", "started"))
    assert progress.busy() == frozenset()


def test_watching_shows_and_writes_each_event():
    """The wrapped record gets every event, and what was recorded is known at once."""
    written: list[Event] = []
    progress = LiveProgress()
    progress.watching(written.append)(op(1, "a"))
    assert written == [op(1, "a")]
    assert progress.acknowledged() == {"a"}
