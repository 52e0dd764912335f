"""The timeline of a run: phases, strikes and recoveries in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from capsize.checkers.answers import ready
from capsize.core.events import Event, InstanceChanged, Noted, PhaseChanged, RunEnded, Struck, Undone
from capsize.core.history import History
from capsize.report.wording import describe, instance, seconds

GOOD_IN_A_ROW = 3
"""So many good probe answers in a row end an outage; one lucky answer does not."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline: when, in seconds since the run began, and what."""

    t: float
    text: str


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch in which the API did not answer; ``until`` is None when it never came back."""

    since: float
    until: float | None = None


def timeline(history: History) -> tuple[Moment, ...]:
    """Return the moments that tell the run: phases, strikes, instances lost and back, API outages."""
    moments = [*_told(history), *_outage_moments(outages(history))]
    return tuple(sorted(moments, key=lambda moment: moment.t))


def outages(history: History) -> tuple[Outage, ...]:
    """Return the stretches in which the availability probe got no good answer.

    An outage begins when the first bad probe was sent and ends with the first of several good answers in
    a row. A history that ends sooner leaves the outage open only if no good answer followed at all.
    """
    found: list[Outage] = []
    since: float | None = None
    good_from: float | None = None
    good = 0
    for op in ready(history):
        if op.outcome != "ok":
            since = op.sent if since is None else since
            good, good_from = 0, None
        elif since is not None:
            good, good_from = good + 1, op.t if good_from is None else good_from
            if good >= GOOD_IN_A_ROW:
                found.append(Outage(since=since, until=good_from))
                since, good, good_from = None, 0, None
    if since is not None:
        found.append(Outage(since=since, until=good_from))
    return tuple(found)


def _outage_moments(found: tuple[Outage, ...]) -> Iterator[Moment]:
    for outage in found:
        yield Moment(t=outage.since, text="API away")
        if outage.until is not None:
            yield Moment(t=outage.until, text=f"API back after {seconds(outage.until - outage.since)}")


def _told(history: History) -> Iterator[Moment]:
    """Yield what the events tell by themselves; instances only once the chaos began."""
    struck = False
    for event in history:
        struck = struck or isinstance(event, Struck)
        text = _text(event, struck)
        if text is not None:
            yield Moment(t=event.t, text=text)


def _text(event: Event, struck: bool) -> str | None:
    match event:
        case PhaseChanged() | Struck() | Undone() | Noted() | RunEnded():
            return describe(event)
        case InstanceChanged(state="ready" | "exited" | "gave_up") if struck:
            return instance(event)
        case _:
            return None
