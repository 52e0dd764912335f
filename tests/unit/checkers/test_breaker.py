"""The circuit as the outside service's calls show it: it opens, holds, recovers, and is told truthfully."""

from __future__ import annotations

import pytest

from capsize.checkers.breaker_holds import BreakerHolds
from capsize.checkers.breaker_opens import BreakerOpens
from capsize.checkers.breaker_recovers import BreakerRecovers
from capsize.checkers.truthful_breaker import TruthfulBreaker
from capsize.core.events import DependencyMode
from capsize.core.verdict import Verdict
from support.histories import Past

OPENS = BreakerOpens(failures=5, open_s=2.0, workers=2, timeout_s=1.0)
HOLDS = BreakerHolds(failures=5, open_s=2.0, timeout_s=1.0)
RECOVERS = BreakerRecovers(failures=5, open_s=2.0, timeout_s=1.0, within_s=6.0)
TRUTHFUL = TruthfulBreaker(failures=5, open_s=2.0, timeout_s=1.0)


def flow(past: Past, begin: float, end: float, mode: DependencyMode = "ok", every: float = 0.3) -> Past:
    """Calls at an even rate, each by a task of its own."""
    for number in range(round((end - begin) / every)):
        t = round(begin + number * every, 3)
        past.calls(t, f"key-{t}", mode)
    return past


def bad(*probes: float, failures: int = 5, mode: DependencyMode = "fail", until: float = 20.0) -> Past:
    """Calls that go well up to 10, fail up to 20, and flow again from 21 on; with probes at these times."""
    past = Past("worker-1", "worker-2").phase("chaos", 0.0, 40.0)
    flow(past, 0.0, 10.0).becomes(10.0, mode)
    flow(past, 10.1, round(10.1 + failures * 0.3, 3), mode)
    for t in probes:
        past.calls(t, f"probe-{t}", mode)
    past.becomes(until, "ok").calls(21.0, "probe-ok")
    return flow(past, 21.1, 30.0)


def looks(past: Past, begin: float, end: float, **states: str) -> Past:
    """Looks at the circuits, ten a second."""
    for number in range(round((end - begin) * 10)):
        past.sample(round(begin + number / 10, 3), "breaker", **states)
    return past


# ---------------------------------------------------------------- opens


def test_a_circuit_that_opens_in_time_passes() -> None:
    """Five failures and then silence; so also with one more that was under way."""
    for failures in (5, 6, 7):
        result = OPENS.check(bad(13.9, failures=failures).history())
        assert result.verdict is Verdict.PASS, result.summary
        assert result.measures["failed_calls_max"] == failures


@pytest.mark.parametrize("failures", [8, 20, 32])
def test_more_calls_than_were_to_fail_are_found(failures: int) -> None:
    """Two workers can bring it to seven with what was under way; not to eight, and not to the end."""
    result = OPENS.check(bad(failures=failures).history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "breaker_opens"


def test_without_enough_failures_nothing_is_known() -> None:
    """The outside service was never bad, was bad for too short, or answered late and not badly."""
    assert OPENS.check(flow(Past(), 0.0, 10.0).history()).verdict is Verdict.UNKNOWN
    assert OPENS.check(bad(failures=4).history()).verdict is Verdict.UNKNOWN
    assert OPENS.check(bad(failures=12, mode="slow").history()).verdict is Verdict.UNKNOWN


def test_calls_that_hang_fail_when_their_callers_give_up() -> None:
    """Two workers hang a second each: the fifth failure is over at 13, and those begun before it are let pass."""
    past = flow(Past(), 0.0, 10.0).becomes(10.0, "hang")
    for t in (10.0, 10.1, 11.0, 11.1, 12.0, 12.1):
        past.calls(t, f"hang-{t}", "hang")
    past.calls(15.5, "probe", "hang").becomes(20.0, "ok").calls(20.1, "late")
    result = OPENS.check(past.history())
    assert (result.verdict, result.measures["opened"]) == (Verdict.PASS, 1), result.summary
    assert result.measures["opened_after_max_s"] == pytest.approx(3.0)


def test_refused_connections_are_told_by_the_witness() -> None:
    """Nobody listened, so the failed runs of the calling tasks stand for the calls."""
    past = flow(Past("worker-1"), 0.0, 10.0).becomes(10.0, "refuse").becomes(30.0, "ok")
    for number in range(20):
        t = 10.1 + number
        past.submit(1.0, f"T{number}", client="calls").starts(t, "worker-1", f"T{number}")
        past.says(t + 0.01, "worker-1", "failed", f"T{number}")
    assert OPENS.check(past.history()).verdict is Verdict.FAIL


# ---------------------------------------------------------------- holds


def test_probes_one_by_one_pass() -> None:
    """Each comes two seconds after the one before, and the next circuit begins anew."""
    result = HOLDS.check(bad(13.5, 15.6, 17.7, 19.8).history())
    assert result.verdict is Verdict.FAIL, "the good probe at 21.0 is only 1.2 s after that at 19.8"
    result = HOLDS.check(bad(13.5, 15.6, 17.7).history())
    assert (result.verdict, result.measures["probes"]) == (Verdict.PASS, 4), result.summary


@pytest.mark.parametrize("probes", [(13.5, 13.502, 15.6), (13.5, 14.5), (13.5, 15.6, 15.61, 15.62)])
def test_several_probes_at_once_or_too_soon_are_found(probes: tuple[float, ...]) -> None:
    """Two workers let through together, at the first probe or at a later one; a circuit open for a second only."""
    result = HOLDS.check(bad(*probes).history())
    assert result.verdict is Verdict.FAIL
    assert {finding.anomaly for finding in result.findings} == {"breaker_holds"}


def test_a_circuit_that_never_opened_can_not_hold() -> None:
    """Nothing is known of what would have been."""
    assert HOLDS.check(bad(failures=32).history()).verdict is Verdict.UNKNOWN
    assert HOLDS.check(flow(Past(), 0.0, 10.0).history()).verdict is Verdict.UNKNOWN


# ---------------------------------------------------------------- recovers


def waiting(past: Past) -> Past:
    """A task that was accepted while the circuit was open, and that is done at 22."""
    return past.submit(15.0, "W", client="calls").runs(22.0, 22.1, "worker-1", "W")


def test_calls_that_flow_again_pass() -> None:
    """A good probe, and all the others right after it."""
    result = RECOVERS.check(waiting(bad(13.5, 15.6)).history())
    assert result.verdict is Verdict.PASS, result.summary
    assert result.measures["breaker_recovery_max_s"] == pytest.approx(1.0)


@pytest.mark.parametrize("probes", [(), (22.0,), (22.0, 24.5, 27.0)])
def test_a_circuit_that_does_not_close_is_found(probes: tuple[float, ...]) -> None:
    """Nobody calls any more, or one probe every now and then, though a task waits."""
    past = flow(Past("worker-1"), 0.0, 10.0).becomes(10.0, "fail").phase("chaos", 0.0, 40.0)
    flow(past, 10.1, 11.6, "fail").becomes(20.0, "ok").submit(15.0, "W", client="calls")
    for t in probes:
        past.calls(t, f"probe-{t}")
    result = RECOVERS.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "breaker_recovers"


def test_nobody_saw_it_close_is_unknown() -> None:
    """The run ended before; or no task was there that could have called."""
    past = flow(Past(), 0.0, 10.0).becomes(10.0, "fail").phase("chaos", 0.0, 24.0)
    flow(past, 10.1, 11.6, "fail").becomes(20.0, "ok").submit(15.0, "W", client="calls")
    assert RECOVERS.check(past.history()).verdict is Verdict.UNKNOWN
    idle = flow(Past(), 0.0, 10.0).becomes(10.0, "fail").phase("chaos", 0.0, 40.0)
    assert (
        RECOVERS.check(flow(idle, 10.1, 11.6, "fail").becomes(20.0, "ok").history()).verdict
        is Verdict.UNKNOWN
    )


# ---------------------------------------------------------------- truthful


def told(meanwhile: str = "open", before: str = "closed", after: str = "closed", **others: str) -> Past:
    """Looks at the circuit before, while it is open, and after it has closed."""
    past = looks(bad(13.5, 15.6), 0.0, 10.0, call=before, **others)
    looks(past, 12.0, 19.9, call=meanwhile, **others)
    return looks(past, 22.0, 30.0, call=after, **others)


def test_a_truthful_endpoint_passes() -> None:
    """Closed, open or half open, closed; what it says in between is nobody's to judge."""
    for meanwhile in ("open", "half_open"):
        assert TRUTHFUL.check(told(meanwhile).history()).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "past",
    [told("closed"), told(before="open"), told(after="half_open"), told(delay="open")],
    ids=["closed while open", "open before", "half open after", "delay tasks concerned"],
)
def test_a_lying_endpoint_is_found(past: Past) -> None:
    """Whatever it says against what the calls show."""
    result = TRUTHFUL.check(past.history())
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].anomaly == "truthful_breaker"


def test_an_unknown_type_s_circuit_is_seen_to_open() -> None:
    """Once tasks of it were accepted; at some look is enough, at none is a finding."""
    accepted = told(unknown="closed").submit(5.0, "U", client="unknown")
    assert TRUTHFUL.check(accepted.history()).verdict is Verdict.FAIL
    assert (
        TRUTHFUL.check(looks(accepted, 6.0, 6.2, call="closed", unknown="open").history()).verdict
        is Verdict.PASS
    )
    assert TRUTHFUL.check(told(unknown="closed").history()).verdict is Verdict.PASS


def test_without_looks_nothing_is_known() -> None:
    """None at all, none while it was open, or only failed ones."""
    assert TRUTHFUL.check(bad(13.5).history()).verdict is Verdict.UNKNOWN
    assert TRUTHFUL.check(looks(bad(13.5), 0.0, 10.0, call="closed").history()).verdict is Verdict.UNKNOWN
    past = bad(13.5).sample(15.0, "breaker", error="answered 503")
    assert TRUTHFUL.check(past.history()).verdict is Verdict.UNKNOWN
