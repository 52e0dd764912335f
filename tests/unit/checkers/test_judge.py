"""judge: from an experiment's claims and a history to one judgement."""

from __future__ import annotations

import time

import pytest

from capsize.checkers import ANOMALIES, CHECKERS, judge
from capsize.core.errors import UsageError
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Verdict
from support.histories import Past, experiment

CIRCUIT = {"failures": 5, "open_s": 2.0, "timeout_s": 1.0}
NEEDS = {
    "late": {"deadline_s": 30.0},
    "observed_circuit": {"failures": 5},
    "recovery": {"service": "api"},
    "memory": {"budget_bytes_per_s": 1024.0},
    "pickup": {"p99_max_s": 5.0},
    "queue": {"settle_s": 10.0},
    "scaling": {"steps": {"s1": 2}},
    "throughput": {"min_per_s": 1.0},
    "breaker_opens": {"workers": 2, **CIRCUIT},
    "breaker_holds": CIRCUIT,
    "breaker_recovers": {"within_s": 6.0, **CIRCUIT},
    "truthful_breaker": CIRCUIT,
    "isolation": CIRCUIT,
    "retry_backoff": {"base_s": 1.0},
}


def test_the_worst_verdict_wins_and_every_result_is_kept() -> None:
    """Lost and unknown make FAIL."""
    past = Past("worker-1").submit(1.0, "T1").reported(9.0, "pending", "T1").ends(10.0)
    judgement = judge(experiment("ended", "lost", "duplicate"), past.history())
    assert [result.verdict for result in judgement.results] == [Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN]
    assert judgement.verdict is Verdict.FAIL
    assert judgement.measure("lost", "lost") == 1


def test_a_checker_that_raises_is_unknown_with_its_error() -> None:
    """A defect of capsize must not pass, nor accuse the service."""
    broken = Sample(t=1.0, probe="instrument", began=0.9, values={"lag_p99_s": "fast"})
    judgement = judge(experiment("ended", "instrument"), Past().add(broken).ends(10.0).history())
    assert judgement.verdict is Verdict.UNKNOWN
    assert "ValueError" in judgement.results[1].summary


def test_a_run_that_was_cut_off_can_not_pass_for_want_of_the_claim() -> None:
    """``ended`` is judged whether the experiment names it or not."""
    past = Past("worker-1").submit(1.0, "T1").runs(1.1, 2.0, "worker-1", "T1")
    judgement = judge(experiment("duplicate"), past.history())
    assert judgement.verdict is Verdict.UNKNOWN
    assert [result.checker for result in judgement.results] == ["ended", "duplicate"]


def test_an_unknown_claim_is_a_usage_error() -> None:
    """Not something to be skipped."""
    with pytest.raises(UsageError, match="did you mean 'lost'"):
        judge(experiment("lsot"), Past().history())


@pytest.mark.parametrize("name", sorted(CHECKERS))
def test_no_claim_passes_on_an_empty_history(name: str) -> None:
    """Nothing happened, nothing is proved; only an optional claim may hold without evidence."""
    verdict = judge(experiment(name, **{name: NEEDS.get(name, {})}), History(())).results[-1].verdict
    assert verdict is (Verdict.PASS if name == "retries" else Verdict.UNKNOWN)


def test_every_checker_stands_under_its_own_name() -> None:
    """What a result is called is what an experiment asks for."""
    assert {name: checker.name for name, checker in CHECKERS.items()} == {name: name for name in CHECKERS}
    assert set(ANOMALIES) <= set(CHECKERS)


def test_a_hundred_thousand_events_are_judged_in_seconds() -> None:
    """Limits generous: the machine may be busy. Half of the tasks are lost, so stories are told as well."""
    past = Past(*(f"worker-{number}" for number in range(1, 5))).phase("chaos", 0.0, 700.0)
    for number in range(15_000):
        begin = 1.0 + number * 0.04
        past.submit(begin, f"T{number}")
        if number % 2:
            past.runs(begin + 0.01, begin + 0.03, f"worker-{number % 4 + 1}", f"T{number}")
        past.reported(701.0, "completed" if number % 2 else "pending", f"T{number}")
    past.ready(0.0, 700.0).api(0.0, 700.0).ends(702.0)
    for number in range(60):
        past.kill(2.0 + number * 10, f"worker-{number % 4 + 1}", back=3.0 + number * 10, id=f"s{number}")
    history = past.history()
    assert len(history) > 100_000
    began = time.monotonic()
    judgement = judge(experiment(*CHECKERS, **NEEDS), history)
    assert time.monotonic() - began < 30.0
    assert judgement.measure("lost", "lost") == 7500
