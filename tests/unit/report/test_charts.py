"""The columns that a page draws: they say what the history says, and stay small however long it is."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from capsize.core.experiment import PlannedStrike, Spec, Target
from capsize.core.history import History
from capsize.core.verdict import Finding, Judgement, Result, Verdict
from capsize.report.charts import charts
from capsize.report.charts.answers import answers
from capsize.report.charts.bins import BINS_MAX, binned, middles, thinned, width_s
from capsize.report.charts.lanes import lanes
from capsize.report.charts.lifelines import DRAWN_MAX, HOWS, SAMPLE_MIN, lifelines
from capsize.report.charts.phases import phase_rows
from capsize.report.charts.strikes import recovery_rows, strike_rows
from capsize.report.charts.work import depth, memory, work
from support.histories import Past, experiment
from support.many_tasks import many_tasks


def judgement(*findings: Finding) -> Judgement:
    """Return a judgement with these findings."""
    result = Result(checker="lost", verdict=Verdict.FAIL, summary="", findings=findings)
    return Judgement(scenario="test", level=1, seed=1, verdict=Verdict.FAIL, results=(result,))


def spans(history: History, name: str) -> list[tuple[str, float, float]]:
    """Return the spans of one lane."""
    return next(lane.spans for lane in lanes(history) if lane.name == name)


@pytest.mark.parametrize("end_s", [0.0, 0.1, 29.9, 75.0, 75.1, 3600.0, 86400.0 * 3])
def test_bins_cover_the_run_and_are_few(end_s: float) -> None:
    """Every moment has a bin, and no run needs more than a screen has columns."""
    bins = binned([(0.0, "a"), (end_s, "b")], end_s)
    assert sum(len(found) for found in bins) == 2
    assert len(bins) == len(middles(end_s)) <= BINS_MAX + 1
    assert len(bins) * width_s(end_s) >= end_s


def test_thinned_points_keep_the_last() -> None:
    """The end of a curve is what a reader looks at."""
    assert thinned(list(range(1000)), 10)[-1] == 999
    assert len(thinned(list(range(1000)), 10)) <= 11
    assert thinned([1, 2, 3], 10) == [1, 2, 3]


def test_a_killed_worker_s_lane_is_down_until_it_is_spawned_again() -> None:
    """Up, down, starting, up; the frozen stretch is cut out of the time it was up."""
    past = Past("worker-1").kill(2.0, "worker-1", 3.0).pause(5.0, 6.0, "worker-1", id="s2").ends(8.0)
    assert spans(past.history(), "worker-1") == [
        ("starting", 0.0, 0.0),
        ("up", 0.0, 2.01),
        ("down", 2.01, 2.02),
        ("starting", 2.02, 3.0),
        ("up", 3.0, 5.0),
        ("frozen", 5.0, 6.0),
        ("up", 6.0, 8.0),
    ]
    (lane,) = lanes(past.history())
    assert (lane.starts, lane.up_s, lane.down_s, lane.frozen_s) == (2, 6.01, 0.01, 1.0)


def test_an_orderly_stop_is_down_only_when_a_strike_did_it() -> None:
    """A database that a strike stopped is down; a worker that was scaled away is not there."""
    past = Past("postgres-1", "worker-1")
    past.instance(2.0, "postgres-1", "stopped").instance(4.0, "postgres-1", "starting")
    past.instance(4.5, "postgres-1", "ready").instance(2.0, "worker-1", "stopped")
    past.strike("stop", "postgres-1", "s1", begin=1.9, landed=2.0, healing=3.9, healed=4.5)
    past.strike("scale", "worker-1", "s2", begin=1.9, landed=2.0, healing=2.0, healed=2.0)
    history = past.ends(6.0).history()
    assert ("down", 2.0, 4.0) in spans(history, "postgres-1")
    assert not [span for span in spans(history, "worker-1") if span[0] == "down"]


def test_a_lane_shows_when_its_worker_was_inside_a_task() -> None:
    """Runs that touch are one stretch."""
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "t1").runs(2.0, 3.0, "worker-1", "t2").ends(10.0)
    assert lanes(past.history())[0].busy == [(1.0, 3.0)]


def test_answers_count_good_ones_and_time_them_from_their_plan() -> None:
    """A bin without a call has no value; one slow call of ten is the slowest and not the median."""
    past = Past().phase("steady", 0.0, 1.0).api(0.0, 0.25, every=0.025).api(0.5, 0.75, False, every=0.025)
    past.op(0.9, "api:list", planned=0.24).ready(0.0, 0.25).ends(1.0)
    found = answers(past.history())
    assert found.width_s == 0.25
    assert found.success == [100.0, None, 0.0, None]
    assert found.ready == [100.0, None, None, None]
    assert (found.p50[0], found.worst[0]) == (2.0, 660.0)


def test_work_sums_up_and_depth_is_what_the_service_said() -> None:
    """A task counts as accepted when it was acknowledged and as finished when the witness heard it."""
    past = (
        Past("worker-1")
        .submit(0.1, "t1", "t2")
        .runs(0.3, 0.6, "worker-1", "t1")
        .stats(0.5, pending=1, running=1)
    )
    history = past.ends(1.0).history()
    assert work(history).accepted == [2, 2, 2, 2]
    assert work(history).finished == [0, 0, 1, 1]
    assert (depth(history).pending, depth(history).running) == ([1], [1])


def test_memory_is_told_per_process_in_mib() -> None:
    """A failed look tells nothing."""
    past = Past().sample(0.1, "resources", subject="api-1", private_bytes=3 * 2**20)
    past.sample(0.3, "resources", subject="api-1", error="gone", private_bytes=9 * 2**20).ends(0.5)
    found = memory(past.history())
    assert (found.names, found.mib) == (["api-1"], [[3.0, None]])


def test_lifelines_tell_every_run_and_mark_anomalies() -> None:
    """Row, begin, end, how it ended and attempt; the killed worker's run ended by its exit."""
    past = Past("worker-1", "worker-2").submit(0.5, "t1").starts(1.0, "worker-1", "t1")
    past.kill(1.5, "worker-1", 2.0).runs(2.0, 3.0, "worker-2", "t1", attempt=2).ends(9.0)
    found = lifelines(past.history(), judgement(Finding(anomaly="overlap", message="", task="t1")))
    assert found.ids == ["t1"]
    assert found.runs[:5] == [0, 1.0, 1.5, HOWS.index("exited"), 1]
    assert found.runs[5:] == [0, 2.0, 3.0, HOWS.index("finished"), 2]
    assert [found.names[worker] for worker in found.workers] == ["worker-1", "worker-2"]
    assert found.marks == {0: ["overlap"]}


def test_a_run_that_only_the_taking_down_ended_is_open() -> None:
    """No strike took that worker: the run was over."""
    past = Past("worker-1").phase("drain", 0.0, 5.0).submit(0.5, "t1").starts(4.0, "worker-1", "t1")
    found = lifelines(past.exits(6.0, "worker-1").ends(7.0).history(), None)
    assert found.runs[3] == HOWS.index("open")


def test_of_very_many_tasks_those_worth_a_look_are_drawn() -> None:
    """All with an anomaly or a retry, an even sample of the others, and the count of all; the data stays small."""
    history = many_tasks(20_000)
    lost = Finding(anomaly="lost", message="", task="00000000-0000-7000-8000-000000000999")
    found = charts(experiment(), history, judgement(lost))
    lines = found.lifelines
    assert (lines.total, len(lines.ids)) == (20_000, DRAWN_MAX)
    assert list(lines.marks.values()) == [["lost"]]
    assert lines.told == 401
    assert lines.ids == sorted(lines.ids)
    numbers = [int(task[-12:]) for task in lines.ids]
    assert max(after - before for before, after in pairwise(numbers)) < 60
    assert len(msgspec.json.encode(found)) < 500_000


def test_when_everything_is_anomalous_some_of_the_rest_is_drawn_too() -> None:
    """Without its neighbours a broken task can't be compared with a sound one."""
    past = Past()
    for number in range(3000):
        past.submit(number / 100, f"t{number:04}")
    findings = (Finding(anomaly="lost", message="", task=f"t{number:04}") for number in range(2500))
    found = lifelines(past.ends(40.0).history(), judgement(*findings))
    assert len(found.ids) == DRAWN_MAX
    assert len(found.marks) == DRAWN_MAX - SAMPLE_MIN


def test_strikes_are_told_as_planned_and_as_they_came() -> None:
    """One landed on live work, one was never due, one was not planned at all."""
    plan = msgspec.structs.replace(
        experiment(),
        strikes=(
            PlannedStrike(
                id="s1", at_s=1.0, fault=Spec(name="kill"), target=Target(service="worker", busy=True)
            ),
            PlannedStrike(
                id="s2", at_s=9.0, fault=Spec(name="pause"), target=Target(service="api"), for_s=2.0
            ),
        ),
    )
    past = Past("worker-1").phase("chaos", 2.0, 6.0).starts(2.5, "worker-1", "t1").kill(3.1, "worker-1", 4.0)
    past.kill(5.0, "worker-1", 5.5, id="extra").ends(8.0)
    first, second, extra = strike_rows(plan, past.history())
    assert (first.planned_at, first.begin, first.outcome, first.on_work) == (3.0, 3.1, "landed", True)
    assert first.planned_on == "1 of worker, inside a task"
    assert (second.outcome, second.begin, second.planned_on) == ("not_reached", None, "1 of api, held 2 s")
    assert (extra.id, extra.planned_at, extra.on_work) == ("extra", None, False)


def test_recoveries_are_timed_as_the_claim_times_them() -> None:
    """A worker is back when it is ready; a change of size is no recovery."""
    plan = experiment("recovery", recovery={"service": "worker"})
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "t1").kill(3.0, "worker-1", 4.0)
    past.strike("scale", "worker-1", "s2", begin=6.0, landed=6.0, healing=6.0, healed=6.0).ends(9.0)
    (row,) = recovery_rows(plan, past.history())
    assert (row.strike, row.took_s, row.overtaken) == ("s1", pytest.approx(0.99, abs=0.02), False)


def test_phases_are_told_in_figures() -> None:
    """What the charts show, for whoever can't see them."""
    past = (
        Past("worker-1").phase("steady", 0.0, 1.0).phase("chaos", 1.0, 3.0).api(0.0, 1.0).api(1.0, 3.0, False)
    )
    past.submit(1.5, "t1").runs(1.6, 2.0, "worker-1", "t1").stats(1.55, pending=4).ends(4.0)
    steady, chaos = phase_rows(past.history())
    assert (steady.success, chaos.success) == (1.0, 0.0)
    assert (chaos.accepted, chaos.finished, chaos.pending_max) == (1, 1, 4)
    assert steady.pending_max is None


def test_a_history_of_nothing_makes_empty_charts() -> None:
    """Capsize may have died before anything happened."""
    found = charts(None, History(()), None)
    assert (found.end, found.lanes, found.lifelines.total) == (0, (), 0)
