"""flapping: readiness that comes and goes without a fault, and nothing else."""

from __future__ import annotations

from capsize.checkers.flapping import Flapping
from capsize.core.verdict import Verdict
from support.histories import Past


def _flaps(past: Past, *moments: float) -> Past:
    """Answer well from 0 to 30 s, but for 0.2 s of refusals at some moments."""
    at = 0.0
    for moment in moments:
        past.ready(at, moment).ready(moment, moment + 0.2, ok=False, status=503)
        at = moment + 0.2
    return past.ready(at, 30.0)


def _judge(past: Past) -> Verdict:
    return Flapping().check(past.history()).verdict


def test_refusals_that_come_and_go_are_found() -> None:
    """Two short refusals in 30 quiet seconds."""
    result = Flapping().check(_flaps(Past("worker-1"), 10.0, 20.0).history())
    assert result.verdict is Verdict.FAIL
    assert result.measures["flaps"] == 2
    assert len(result.findings[0].story) == 2


def test_steady_answers_pass_and_so_does_one_hiccup() -> None:
    """No refusal, or a single one."""
    assert _judge(_flaps(Past("worker-1"))) is Verdict.PASS
    assert _judge(_flaps(Past("worker-1"), 10.0)) is Verdict.PASS


def test_refusals_during_and_shortly_after_a_strike_are_no_flaps() -> None:
    """The database was stopped from 9 to 12 s; the answers settle until 15 s."""
    past = Past("worker-1").strike("stop", "postgres", begin=9.0, landed=9.0, healing=12.0, healed=12.0)
    assert _judge(_flaps(past, 10.0, 13.0, 15.0)) is Verdict.PASS


def test_a_strike_on_a_worker_excuses_nothing() -> None:
    """Killing a worker is no reason for the API to be unready."""
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "a").kill(9.5, "worker-1", back=10.5)
    assert _judge(_flaps(past, 10.0, 20.0)) is Verdict.FAIL


def test_timeouts_are_not_counted() -> None:
    """No answer at all may be the machine's fault."""
    past = Past("worker-1").ready(0.0, 5.0)
    past.ready(5.0, 6.0, ok=False, status=None).ready(6.0, 10.0)
    past.ready(10.0, 11.0, ok=False, status=None).ready(11.0, 20.0)
    assert _judge(past) is Verdict.PASS


def test_without_a_quiet_stretch_nothing_is_known() -> None:
    """No answers, or all of them within a strike."""
    assert _judge(Past("worker-1")) is Verdict.UNKNOWN
    struck = Past("worker-1").strike("stop", "postgres", begin=0.0, landed=0.0, healing=30.0, healed=30.0)
    assert _judge(_flaps(struck, 10.0, 20.0)) is Verdict.UNKNOWN
