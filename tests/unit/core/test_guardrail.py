"""Guardrails: what a condition may say, and when it has held long enough."""

from __future__ import annotations

import pytest

from capsize.core.errors import UsageError
from capsize.core.events import Event, InstanceChanged, Op, PhaseChanged, Sample
from capsize.core.guardrail import METRICS, Aborted, Guardrails, condition


def chaos(*texts: str) -> Guardrails:
    """Return guardrails within the chaos phase, which began at 0."""
    rails = Guardrails(texts)
    rails.observe(PhaseChanged(t=0.0, phase="chaos", what="begin"))
    return rails


def op(t: float, ok: bool, call: str = "api:list") -> Op:
    """Return one answered call."""
    return Op(t=t, call=call, client="c", outcome="ok" if ok else "fail", planned=t, sent=t)


def told(rails: Guardrails, *events: Event) -> Guardrails:
    """Tell events and return the same object."""
    for event in events:
        rails.observe(event)
    return rails


@pytest.mark.parametrize(
    ("text", "metric", "sign", "bound", "hold_s"),
    [
        ("api_success < 10% for 30s", "api_success", "<", 0.1, 30.0),
        ("ready<=99.5%", "ready", "<=", 0.995, 0.0),
        ("  pending  >  500  for  2 m ", "pending", ">", 500.0, 120.0),
        ("memory >= 1.5GiB for 500ms", "memory", ">=", 1.5 * 2**30, 0.5),
        ("instances_down > 1", "instances_down", ">", 1.0, 0.0),
    ],
)
def test_a_condition_is_read(text: str, metric: str, sign: str, bound: float, hold_s: float) -> None:
    """Figure, comparison, number with unit, and how long."""
    found = condition(text)
    assert (found.metric, found.sign, found.hold_s) == (metric, sign, pytest.approx(hold_s))
    assert found.bound == pytest.approx(bound)
    assert condition(found.text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not of the form"),
        ("api_success", "not of the form"),
        ("api_success below 10%", "not of the form"),
        ("api_success < 10% for ever", "not of the form"),
        ("api_success < 10% for 30", "not of the form"),
        ("api_success < -1%", "not of the form"),
        ("api_succes < 10%", "did you mean 'api_success'"),
        ("api_success < 10", "like 10%"),
        ("api_success < 110%", "more than 100%"),
        ("pending > 5%", "like 5"),
        ("memory > 5", "like 5KB"),
        ("memory > 5 apples", "like 5KB"),
    ],
)
def test_one_that_makes_no_sense_is_refused_with_what_would_do(text: str, said: str) -> None:
    """One message, before anything starts."""
    with pytest.raises(UsageError, match="the condition") as refused:
        condition(text)
    assert said in str(refused.value)


def test_a_condition_must_hold_without_a_break() -> None:
    """Bad for less than the time, good once, bad again: the time counts anew."""
    rails = chaos("api_success < 50% for 10s")
    for second in range(8):
        assert told(rails, op(second, False)).reached(float(second)) is None
    assert told(rails, op(9.2, True)).reached(9.3) is None
    for second in range(11, 21):
        assert told(rails, op(second, False)).reached(float(second)) is None
    reached = told(rails, op(21.0, False)).reached(21.0)
    assert reached is not None
    assert "api_success < 50% for 10s" in reached
    assert "0.0%" in reached
    with pytest.raises(Aborted):
        rails.raise_reached(21.0)


def test_a_rate_is_of_the_last_second() -> None:
    """Old answers don't count; a share above the bound is no reason."""
    rails = told(chaos("api_success < 50%"), op(1.0, False), op(1.1, False))
    assert rails.reached(1.2) is not None
    rails = told(chaos("api_success < 50%"), op(1.0, False), op(2.5, True))
    assert rails.reached(2.6) is None


def test_silence_changes_nothing() -> None:
    """When calls hang and no answer comes, what was seen last goes on counting; without any, nothing does."""
    rails = told(chaos("api_success < 50% for 5s"), op(1.0, False))
    assert rails.reached(1.1) is None
    assert rails.reached(4.0) is None
    assert rails.reached(6.2) is not None
    assert chaos("api_success < 50% for 5s").reached(100.0) is None


def test_only_the_chaos_phase_counts() -> None:
    """Before it nothing is broken, after it everything is healed."""
    rails = Guardrails(["api_success < 50%"])
    assert told(rails, op(1.0, False)).reached(1.0) is None
    told(rails, PhaseChanged(t=1.1, phase="chaos", what="begin"))
    assert rails.reached(1.2) is not None
    told(rails, PhaseChanged(t=1.3, phase="chaos", what="end"))
    assert rails.reached(1.4) is None


def test_the_other_figures() -> None:
    """Counts by the service, instances that were up and are not, the largest instance's memory."""
    look = {"probe": "stats", "began": 1.0}
    counts = Sample(t=1.0, values={"pending": 7, "running": 2}, **look)  # type: ignore[arg-type]
    assert told(chaos("pending > 6"), counts).reached(1.0) is not None
    assert told(chaos("pending > 7"), counts).reached(1.0) is None
    assert told(chaos("running >= 2"), counts).reached(1.0) is not None
    failed = Sample(t=1.0, probe="stats", began=1.0, error="no answer")
    assert told(chaos("pending >= 0"), failed).reached(1.0) is None

    def instance(name: str, state: str) -> InstanceChanged:
        return InstanceChanged(t=1.0, instance=name, service="worker", state=state)  # type: ignore[arg-type]

    up = [instance("worker-1", "ready"), instance("worker-2", "ready"), instance("migrate", "stopped")]
    rails = told(chaos("instances_down >= 1"), *up)
    assert rails.reached(1.0) is None
    assert told(rails, instance("worker-2", "exited")).reached(1.0) is not None
    assert told(rails, instance("worker-2", "ready")).reached(1.0) is None

    def memory(name: str, size: int) -> Sample:
        return Sample(t=1.0, probe="resources", began=1.0, subject=name, values={"rss_bytes": size})

    rails = told(chaos("memory > 100MB"), memory("api-1", 60_000_000), memory("worker-1", 90_000_000))
    assert rails.reached(1.0) is None
    reached = told(rails, memory("api-1", 150_000_000)).reached(1.0)
    assert reached is not None
    assert "150 MB" in reached


def test_a_figure_that_nobody_looked_at_is_told() -> None:
    """It could not have stopped anything."""
    rails = told(chaos("pending > 5", "api_success < 10%"), op(1.0, True))
    assert rails.unseen == ("pending > 5",)


def test_every_figure_can_be_seen() -> None:
    """A figure that no event feeds would be a guardrail that never holds."""
    rails = Guardrails([f"{name} > 1{next(iter(units))}" for name, units in METRICS.items()])
    told(
        rails,
        op(1.0, True),
        op(1.0, True, "ready"),
        Sample(t=1.0, probe="stats", began=1.0, values={"pending": 1, "running": 1}),
        Sample(t=1.0, probe="resources", began=1.0, subject="api-1", values={"rss_bytes": 1}),
        InstanceChanged(t=1.0, instance="api-1", service="api", state="ready"),
    )
    assert rails.unseen == ()
