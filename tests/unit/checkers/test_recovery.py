"""recovery: how soon the service is back."""

from __future__ import annotations

import pytest

from capsize.checkers.recovery import Recovered
from capsize.core.verdict import Verdict
from support.histories import Past

API = Recovered(service="api")


def outage(down: float, back: float, end: float, kill: float = 5.0) -> Past:
    """Return a past in which api-1 is killed and the answers are bad from ``down`` to ``back``."""
    past = Past("api-1").kill(kill, "api-1", back=min(back, end))
    return past.ready(0.0, down).ready(down, back, ok=False).ready(back, end)


def test_never_coming_back_fails() -> None:
    """Bad to the end, and the end is beyond the limit."""
    result = API.check(outage(5.02, 60.0, 60.0).history())
    assert result.verdict is Verdict.FAIL
    assert "did not come back" in result.findings[0].message


def test_a_quick_recovery_passes_with_its_time() -> None:
    """From the strike to the end of the first of five good answers."""
    result = API.check(outage(5.02, 5.8, 20.0).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["recovery_max_s"] == pytest.approx(0.802, abs=0.001)
    assert result.measures["recovery_n"] == 1
    assert result.measures["resolution_s"] == pytest.approx(0.02, abs=0.001)


def test_above_the_target_is_partial_and_above_the_limit_fails() -> None:
    """Twenty seconds are wanted, thirty are allowed."""
    assert API.check(outage(5.02, 28.0, 60.0).history()).verdict is Verdict.PARTIAL
    assert API.check(outage(5.02, 38.0, 60.0).history()).verdict is Verdict.FAIL


def test_no_strike_is_unknown() -> None:
    """Nothing to recover from; and a strike on another service does not count."""
    past = Past("api-1", "worker-1").kill(3.0, "worker-1", back=3.5).ready(0.0, 10.0)
    assert API.check(past.history()).verdict is Verdict.UNKNOWN


def test_a_run_that_ends_while_the_service_is_away_is_unknown() -> None:
    """It may have come back within the limit."""
    assert API.check(outage(5.02, 20.0, 20.0).history()).verdict is Verdict.UNKNOWN


def test_a_rare_look_is_unknown() -> None:
    """Every 200 ms can't time a recovery."""
    past = Past("api-1").kill(5.0, "api-1", back=5.8)
    past.ready(0.0, 5.0, every=0.2).ready(5.0, 5.8, ok=False, every=0.2).ready(5.8, 20.0, every=0.2)
    assert API.check(past.history()).verdict is Verdict.UNKNOWN


def test_one_lucky_answer_is_no_recovery() -> None:
    """Five good answers in a row are."""
    past = Past("api-1").kill(5.0, "api-1", back=8.0).ready(0.0, 5.02).ready(5.02, 6.0, ok=False)
    past.ready(6.0, 6.08).ready(6.08, 8.0, ok=False).ready(8.0, 20.0)
    assert API.check(past.history()).measures["recovery_max_s"] == pytest.approx(3.002, abs=0.001)


def test_good_answers_between_the_blow_and_the_dip_are_no_recovery() -> None:
    """A graceful stop answers well for a while: the outage is still to come."""
    past = Past("api-1").kill(5.0, "api-1", back=7.0, fault="terminate")
    past.ready(0.0, 5.5).ready(5.5, 7.0, ok=False).ready(7.0, 20.0)
    assert API.check(past.history()).measures["recovery_max_s"] == pytest.approx(2.002, abs=0.001)


def test_a_held_strike_counts_from_its_healing() -> None:
    """The hold is capsize's own doing; the time from the strike is told beside."""
    past = Past().strike("stop", "postgres", begin=5.0, landed=5.1, healing=9.0, healed=9.3)
    past.ready(0.0, 5.1).ready(5.1, 9.6, ok=False).ready(9.6, 20.0)
    result = Recovered(service="postgres").check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["recovery_max_s"] == pytest.approx(0.602, abs=0.001)
    assert result.measures["from_strike_max_s"] == pytest.approx(4.602, abs=0.001)
    assert result.measures["outage_max_s"] == pytest.approx(4.502, abs=0.001)


def test_good_answers_during_the_hold_do_not_end_the_outage() -> None:
    """It flickers while the database is away and stays away after the healing."""
    past = Past().strike("stop", "postgres", begin=5.0, landed=5.1, healing=9.0, healed=9.3)
    past.ready(0.0, 5.1).ready(5.1, 6.0, ok=False).ready(6.0, 7.0).ready(7.0, 60.0, ok=False)
    assert Recovered(service="postgres").check(past.history()).verdict is Verdict.FAIL


def test_an_api_that_never_dipped_was_back_with_its_first_good_answer() -> None:
    """Connections cut, and nobody noticed."""
    past = Past().strike(
        "terminate_connections", "postgres", begin=5.0, landed=5.01, healing=5.01, healed=5.01
    )
    result = Recovered(service="postgres").check(past.ready(0.0, 10.0).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["without_dip"] == 1
    assert result.measures["recovery_max_s"] < 0.05


def test_each_strike_has_its_own_recovery() -> None:
    """The median and the longest of two."""
    past = Past("api-1").kill(5.0, "api-1", back=5.5).kill(10.0, "api-1", back=11.0, id="s2")
    past.ready(0.0, 5.0).ready(5.0, 5.5, ok=False).ready(5.5, 10.0).ready(10.0, 11.0, ok=False).ready(
        11.0, 20.0
    )
    measures = API.check(past.history()).measures
    assert measures["recovery_n"] == 2
    assert measures["recovery_p50_s"] == pytest.approx(0.502, abs=0.001)
    assert measures["recovery_max_s"] == pytest.approx(1.002, abs=0.001)


def test_workers_are_back_when_every_victim_is_ready() -> None:
    """Nobody asks a worker whether it is ready; its platform says so."""
    past = Past("worker-1", "worker-2").runs(1.0, 2.0, "worker-1", "T1").ready(0.0, 20.0)
    past.exits(5.01, "worker-1", back=5.6).exits(5.01, "worker-2", back=6.1)
    past.strike("kill", "worker-1,worker-2", begin=5.0, landed=5.01, healing=5.01, healed=6.1)
    result = Recovered(service="worker").check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["recovery_max_s"] == pytest.approx(1.1, abs=0.001)


def test_a_worker_that_never_comes_back_fails() -> None:
    """The other's return does not make up for it."""
    past = Past("worker-1", "worker-2").runs(1.0, 2.0, "worker-1", "T1").ready(0.0, 60.0)
    past.exits(5.01, "worker-1", back=5.6).exits(5.01, "worker-2")
    past.strike("kill", "worker-1,worker-2", begin=5.0, landed=5.01, healing=5.01)
    assert Recovered(service="worker").check(past.history()).verdict is Verdict.FAIL


def test_a_strike_on_another_worker_overtakes_nothing() -> None:
    """Each worker comes back on its own account."""
    past = Past("worker-1", "worker-2").runs(1.0, 2.0, "worker-1", "T1").ready(0.0, 20.0)
    past.kill(5.0, "worker-1", back=8.0).kill(6.0, "worker-2", back=9.0, id="s2")
    measures = Recovered(service="worker").check(past.history()).measures
    assert (measures["recovery_n"], measures["superseded"]) == (2, 0)


def test_a_worker_that_was_only_frozen_has_no_recovery_time() -> None:
    """Its zero would flatter the median."""
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "T1").ready(0.0, 20.0)
    past.kill(5.0, "worker-1", back=6.01).pause(8.0, 12.0, "worker-1", "s2")
    measures = Recovered(service="worker").check(past.history()).measures
    assert (measures["recovery_n"], measures["recovery_p50_s"]) == (1, 1.01)
    frozen = Past("worker-1").runs(1.0, 2.0, "worker-1", "T1").pause(8.0, 12.0, "worker-1")
    assert Recovered(service="worker").check(frozen.history()).verdict is Verdict.UNKNOWN


def test_a_graceful_stop_counts_from_when_the_worker_was_away() -> None:
    """It may finish its task first; that is no failure yet."""
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "T1").ready(0.0, 20.0)
    past.strike("terminate", "worker-1", begin=5.0, landed=8.0, healing=8.0, healed=8.6)
    result = Recovered(service="worker").check(past.exits(8.0, "worker-1", back=8.6, code=0).history())
    assert result.measures["recovery_max_s"] == pytest.approx(0.6)
