"""A run as OpenTelemetry spans, made from its history: the run, its phases and strikes, and what happened as events.

They are made when the run is over: an exporter's thread beside the run would disturb its measurements. Their times are
those of the history, so that they stand beside the service's own traces where they belong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from capsize.core.events import Event, InstanceChanged, Noted, PhaseChanged, RunEnded, Struck, Undone
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement, Verdict
from capsize.report.wording import describe

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

Attributes = dict[str, str | int | float | bool | tuple[str, ...]]

ENDS = frozenset({"healed", "heal_failed", "missed", "failed", "not_carried_out"})
BAD = frozenset({"heal_failed", "failed"})


def trace(
    tracer: Tracer, experiment: Experiment, history: History, judgement: Judgement | None = None
) -> None:
    """Make the spans of a run with a tracer. A history without a beginning has no wall clock, and no spans."""
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    began = history.began
    if began is None:
        return

    def at(t: float) -> int:
        """Return a moment of the run as nanoseconds since the epoch."""
        return int((began.wall + t) * 1e9)

    root = tracer.start_span(
        f"chaos {experiment.scenario}", start_time=at(0.0), attributes=_of_run(experiment, history)
    )
    context = set_span_in_context(root)
    for name, begin, end in _phases(history):
        attributes: Attributes = {"capsize.phase": name}
        tracer.start_span(f"phase {name}", context, start_time=at(begin), attributes=attributes).end(at(end))
    for steps in _strikes(history):
        first, last = steps[0], steps[-1]
        span = tracer.start_span(
            f"strike {first.fault}", context, start_time=at(first.t), attributes=_of_strike(steps)
        )
        for step in steps:
            span.add_event(step.stage, {"capsize.detail": step.detail} if step.detail else {}, at(step.t))
        if last.stage in BAD:
            span.set_status(Status(StatusCode.ERROR, last.detail))
        span.end(at(last.t if last.stage in ENDS else history.end_s))
    for event in history:
        if isinstance(event, InstanceChanged | Undone | Noted):
            _tell(root, event, at(event.t))
    _conclude(root, history, judgement)
    root.end(at(history.end_s))


def _of_run(experiment: Experiment, history: History) -> Attributes:
    began = history.began
    return {
        "capsize.run": began.run if began else "",
        "capsize.scenario": experiment.scenario,
        "capsize.level": experiment.level.number,
        "capsize.seed": str(experiment.seed),
        "capsize.platform": began.platform if began else "",
        "capsize.system": began.system if began else "",
        "capsize.time_scale": experiment.level.time_scale,
    }


def _of_strike(steps: list[Struck]) -> Attributes:
    victims = next((step.victims for step in reversed(steps) if step.victims), ())
    mechanism = next((step.mechanism for step in reversed(steps) if step.mechanism), "")
    attributes: Attributes = {
        "capsize.strike": steps[0].strike,
        "capsize.fault": steps[0].fault,
        "capsize.victims": victims,
        "capsize.landed": any(step.stage == "landed" for step in steps),
    }
    return attributes | ({"capsize.mechanism": mechanism} if mechanism else {})


def _phases(history: History) -> Iterator[tuple[str, float, float]]:
    for name in dict.fromkeys(event.phase for event in history.of(PhaseChanged)):
        if (span := history.phase(name)) is not None:
            yield name, *span


def _strikes(history: History) -> list[list[Struck]]:
    steps: dict[str, list[Struck]] = {}
    for event in history.of(Struck):
        steps.setdefault(event.strike, []).append(event)
    return [*steps.values()]


def _tell(span: Span, event: Event, at: int) -> None:
    if isinstance(event, InstanceChanged):
        span.add_event(f"{event.instance} {event.state}", {"capsize.instance": event.instance}, at)
    elif (line := describe(event, verbose=True)) is not None:
        span.add_event(line, timestamp=at)


def _conclude(root: Span, history: History, judgement: Judgement | None) -> None:
    from opentelemetry.trace import Status, StatusCode

    ended = history.ended
    root.set_attribute("capsize.ended", ended.how if isinstance(ended, RunEnded) else "cut off")
    if judgement is None:
        return
    root.set_attribute("capsize.verdict", judgement.verdict.name)
    broken = tuple(one.checker for one in judgement.results if one.verdict is Verdict.FAIL)
    if broken:
        root.set_attribute("capsize.broken", broken)
        root.set_status(Status(StatusCode.ERROR, f"broken: {', '.join(broken)}"))
