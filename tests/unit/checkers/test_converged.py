"""converged: after overlapping faults the API, every instance and the work are back."""

from __future__ import annotations

import pytest

from capsize.checkers.compound import volleys
from capsize.checkers.converged import Converged
from capsize.core.verdict import Verdict
from support.histories import Past


def storm(*, api_back: float = 21.0, worker_back: float = 20.5, until: float = 80.0) -> Past:
    """A worker killed at 10 while PostgreSQL is stopped from 10.2 to 20; the run goes on up to ``until``."""
    past = Past("worker-1", "worker-2", "api-1", "postgres").phase("chaos", 0.0, until)
    past.instance(0.0, "migrate-1", "starting").instance(0.5, "migrate-1", "exited", code=0)
    past.kill(10.0, "worker-1", back=worker_back, id="v1s1")
    past.strike("stop", "postgres", "v1s2", begin=10.2, landed=10.3, healing=20.0, healed=20.1)
    past.ready(0.0, 10.2).ready(10.2, api_back, ok=False)
    if api_back < until:
        past.ready(api_back, until)
    return past


def work(past: Past, *workers: str, begin: float = 21.5, end: float = 80.0) -> Past:
    """Runs of these workers, one a second each, and always some task that waits."""
    for number in range(int(end - begin)):
        for worker in workers:
            task = f"{worker}-{number}"
            past.submit(1.0, task).runs(begin + number, begin + number + 0.5, worker, task)
    return past


def before(past: Past) -> Past:
    """Runs of both workers before the storm, so that it is known who works."""
    return work(past, "worker-1", "worker-2", begin=2.0, end=9.0)


def test_strikes_whose_effects_overlap_are_one_volley() -> None:
    """The kill lasts until its victim is back; the stop falls into it; a later strike stands alone."""
    past = storm().kill(40.0, "worker-2", back=40.5, id="v2s1")
    first, second = volleys(past.history())
    assert ([one.id for one in first.strikes], first.at_once, first.over) == (["v1s1", "v1s2"], 2, 20.0)
    assert ([one.id for one in second.strikes], second.at_once, second.over) == (["v2s1"], 1, 40.0)


def test_all_back_and_at_work_passes() -> None:
    """The slowest of the three counts, from the last healing on; a job that was done long ago is not waited for."""
    result = Converged().check(work(before(storm()), "worker-1", "worker-2").history())
    assert result.verdict is Verdict.PASS, result.summary
    assert result.measures["converged_max_s"] == pytest.approx(1.5)
    assert result.measures["instances_back_max_s"] == pytest.approx(0.5)
    assert result.measures["at_once_max"] == 2


@pytest.mark.parametrize(
    ("past", "part"),
    [
        (work(before(storm(api_back=80.0)), "worker-1", "worker-2"), "api not"),
        (work(before(storm(worker_back=75.0)), "worker-2"), "instances only after 55"),
        (work(before(storm()), "worker-2"), "work only after 59"),
        (work(work(before(storm()), "worker-2"), "worker-1", begin=35.0), "work only after 15"),
        (work(before(storm(api_back=53.0)), "worker-1", "worker-2"), "api only after 33"),
    ],
    ids=["api away", "instance away", "worker idle", "worker idle for long", "api late"],
)
def test_what_does_not_come_back_is_found(past: Past, part: str) -> None:
    """The API, an instance, or a worker that is up and does nothing while tasks wait."""
    # Tasks that are begun late wait all the time.
    past.submit(1.0, "waits").runs(79.0, 79.5, "worker-2", "waits")
    result = Converged().check(past.history())
    assert result.verdict is Verdict.FAIL, result.summary
    assert result.findings[0].anomaly == "converged"
    assert part in result.findings[0].message


def test_late_and_in_the_limit_is_partial() -> None:
    """Above the target of twenty seconds, below the limit of thirty."""
    past = work(before(storm(api_back=45.0)), "worker-1", "worker-2")
    assert Converged().check(past.history()).verdict is Verdict.PARTIAL


def test_an_idle_worker_is_not_blamed_when_nothing_waits() -> None:
    """One worker does all there is."""
    past = before(storm()).submit(30.0, "T").runs(30.01, 30.1, "worker-2", "T")
    assert Converged().check(past.history()).verdict is Verdict.PASS


def test_no_compound_fault_or_no_end_is_unknown() -> None:
    """No strike; one at a time only; or the run was over too soon after."""
    assert Converged().check(Past("worker-1").ready(0.0, 10.0).history()).verdict is Verdict.UNKNOWN
    single = Past("worker-1", "worker-2").phase("chaos", 0.0, 60.0).ready(0.0, 60.0)
    single.kill(10.0, "worker-1", back=10.5, id="s1")
    assert Converged().check(single.history()).verdict is Verdict.UNKNOWN
    short = storm(api_back=25.0, until=25.0)
    assert Converged().check(short.history()).verdict is Verdict.UNKNOWN
