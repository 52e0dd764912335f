"""What must hold for every history: no false alarm on a sound service, and no planted defect overlooked."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsize.checkers import judge
from capsize.core.events import Event, Reported, Sample, Witnessed
from capsize.core.history import History
from capsize.core.verdict import Judgement, Verdict
from support.histories import Past, experiment
from support.model import LEASE_S, Blow, Model, Task

CLAIMS = ("lost", "duplicate", "overlap", "stuck", "misreported", "resurrected", "unaccounted", "ended")
QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

blows = st.builds(
    Blow,
    at=st.floats(0.1, 8.0),
    kind=st.sampled_from(("kill", "terminate", "pause", "stop", "cut")),
    worker=st.integers(0, 3),
    hold_s=st.floats(0.05, 3.0),
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Draw a workload, its faults, and the world's whims."""
    tasks = [
        Task(
            id=f"T{number}",
            seconds=draw(st.floats(0.05, 1.5)),
            submit_at=draw(st.floats(0.05, 3.0)),
            cancel_at=draw(st.none() | st.floats(0.5, 6.0)),
            fails=draw(st.sampled_from((0, 0, 0, 1, 3))),
        )
        for number in range(draw(st.integers(3, 10)))
    ]
    # One task that nothing happens to by plan, so that there is something to plant a defect in.
    tasks.append(Task(id="whole", seconds=0.5, submit_at=0.05))
    return Model(
        tasks=tasks,
        workers=draw(st.integers(1, 4)),
        blows=draw(st.lists(blows, max_size=8)),
        seed=draw(st.integers(0, 2**32)),
    )


def judged(past: Past, **args: dict[str, object]) -> Judgement:
    """Judge a past by all anomaly claims."""
    config = {"stuck": {"lease_s": LEASE_S}, **args}
    return judge(experiment(*CLAIMS, **config), past.history())


def found(judgement: Judgement) -> set[str]:
    """Return the names of what was found."""
    return {finding.anomaly for finding in judgement.findings}


@QUICK
@given(models())
def test_a_sound_service_is_never_accused(model: Model) -> None:
    """Kills, stops, freezes, outages and lost confirmations: leases that work leave no anomaly."""
    judgement = judged(model.play())
    told = [(result.checker, result.summary) for result in judgement.results if result.verdict]
    assert judgement.verdict is Verdict.PASS, (told, [finding.story for finding in judgement.findings])


# -------------------------------------------------------------------- planted defects


def end_of(past: Past) -> float:
    """Return when the work was over and the audit began."""
    return next(event.t for event in past.events if isinstance(event, Reported)) - 0.1


def without(past: Past, drop: Callable[[Event], bool]) -> None:
    """Take events out of a past."""
    past.events = [event for event in past.events if not drop(event)]


def say_last(past: Past, task: str, status: str) -> None:
    """Replace the service's last word on a task."""
    t = end_of(past) + 0.1
    without(past, lambda event: isinstance(event, Reported) and event.task == task)
    past.reported(t, status, task)


def completed(past: Past, draw: random.Random) -> str:
    """Return a task that was finished and recorded in a single run."""
    told: dict[str, list[str]] = {}
    for event in past.events:
        if isinstance(event, Witnessed):
            told.setdefault(event.task, []).append(event.event)
    once = [task for task, events in told.items() if events == ["started", "finished", "recorded"]]
    if not once:
        end = end_of(past)
        past.submit(end - 3.0, "late").runs(end - 2.9, end - 2.5, "worker-1", "late")
        past.reported(end + 0.1, "completed", "late")
        without(past, lambda event: isinstance(event, Sample) and event.t >= end - 3.0)
        return "late"
    return draw.choice(sorted(once))


def plant_lost(past: Past, draw: random.Random) -> set[str]:
    """An accepted task falls out of the queue."""
    task = completed(past, draw)
    without(past, lambda event: isinstance(event, Witnessed) and event.task == task)
    say_last(past, task, draw.choice(("pending", "missing")))
    return {"lost"}


def plant_duplicate(past: Past, draw: random.Random) -> set[str]:
    """A recorded task is run again."""
    task, end = completed(past, draw), end_of(past)
    past.runs(end - 1.0, end - 0.5, f"worker-{draw.randint(1, 4)}", task, 9)
    return {"duplicate"}


def plant_overlap(past: Past, draw: random.Random) -> set[str]:
    """Somebody else claims a task in the middle of its run, and gives it up in the end."""
    task = completed(past, draw)
    own = {event.event: event for event in past.events if isinstance(event, Witnessed) and event.task == task}
    middle = (own["started"].t + own["finished"].t) / 2
    past.starts(middle, "worker-9", task, 9).says(own["recorded"].t + 0.01, "worker-9", "abandoned", task, 9)
    return {"overlap"} if own["finished"].t - middle > 0.02 else set()


def plant_stuck(past: Past, draw: random.Random) -> set[str]:
    """A worker dies inside a task, and its lease never ends. In a drained run the task is lost as well."""
    end = end_of(past)
    past.up(end - 4.4, "worker-9").submit(end - 4.4, "S").starts(end - 4.3, "worker-9", "S")
    past.kill(end - 4.25, "worker-9", back=end - 4.0, id="s99").reported(end + 0.1, "running", "S")
    without(past, lambda event: isinstance(event, Sample) and event.t >= end - 4.5)
    return {"stuck", "lost"}


def plant_misreported(past: Past, draw: random.Random) -> set[str]:
    """A task is called completed although nobody did it."""
    task = completed(past, draw)
    ends = ("finished", "recorded")
    without(past, lambda e: isinstance(e, Witnessed) and e.task == task and e.event in ends)
    return {"misreported"}


def plant_resurrected(past: Past, draw: random.Random) -> set[str]:
    """A cancelled task runs."""
    end = end_of(past)
    past.submit(end - 4.0, "R").op(end - 3.5, "cancel", task="R").starts(end - 2.0, "worker-1", "R")
    past.says(end - 1.9, "worker-1", "abandoned", "R").reported(end + 0.1, "cancelled", "R")
    without(past, lambda event: isinstance(event, Sample) and event.t >= end - 4.5)
    return {"resurrected"}


def plant_unaccounted(past: Past, draw: random.Random) -> set[str]:
    """One look does not add up."""
    look = draw.choice([event for event in past.events if isinstance(event, Sample)])
    look.values["created"] += draw.choice((-1, 1))
    return {"unaccounted"}


PLANTS = (
    plant_lost,
    plant_duplicate,
    plant_overlap,
    plant_stuck,
    plant_misreported,
    plant_resurrected,
    plant_unaccounted,
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("plant_"))
@settings(QUICK, max_examples=25)
@given(model=models(), seed=st.integers(0, 2**32))
def test_a_planted_defect_is_found_under_its_name(
    plant: Callable[[Past, random.Random], set[str]], model: Model, seed: int
) -> None:
    """Whatever else happened in the run, the one defect is named, and no other."""
    past = model.play()
    expected = plant(past, random.Random(seed))
    judgement = judged(past)
    told = [(result.checker, result.summary) for result in judgement.results if result.verdict]
    assert found(judgement) == expected, told


@QUICK
@given(models(), st.floats(0.0, 1.0))
def test_a_history_that_was_cut_off_never_passes(model: Model, share: float) -> None:
    """Up to any line: unknown, for the anomalies that are not there as for the end that is not."""
    whole = list(model.play().history())
    cut = History(whole[: int(share * (len(whole) - 1))])
    judgement = judge(experiment(*CLAIMS, stuck={"lease_s": LEASE_S}), cut)
    assert judgement.verdict is Verdict.UNKNOWN, [finding.message for finding in judgement.findings]
