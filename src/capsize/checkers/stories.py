"""A task's whole life as lines that a reader can check, each with its time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from capsize.checkers.derived import derived
from capsize.checkers.spans import Span
from capsize.checkers.strikes import DATABASES, service_of
from capsize.core.events import Event, InstanceChanged, Op, PhaseChanged, Reported, Struck, Witnessed
from capsize.core.history import History
from capsize.core.verdict import Finding

STORIES_MAX = 50
"""So many findings of one checker carry their story; with thousands nobody reads them all."""
PRELUDE_S = 1.0
AFTERMATH_S = 10.0
"""What befell a worker from so long before its first word on a task to so long after its last is told too."""


@dataclass(slots=True)
class _Index:
    """The events of each task, and those of the world around them."""

    of_task: dict[str, list[Event]] = field(default_factory=dict)
    of_key: dict[str, list[Event]] = field(default_factory=dict)
    world: list[Event] = field(default_factory=list)


@derived
def _index(history: History) -> _Index:
    index = _Index()
    for event in history:
        if isinstance(event, Witnessed | Reported):
            index.of_task.setdefault(event.task, []).append(event)
        elif isinstance(event, Op):
            if event.task is not None:
                index.of_task.setdefault(event.task, []).append(event)
            elif event.key is not None:
                index.of_key.setdefault(event.key, []).append(event)
        elif isinstance(event, Struck | InstanceChanged | PhaseChanged):
            index.world.append(event)
    return index


def story(history: History, task: str) -> tuple[str, ...]:
    """Return the life of a task: its submission, its runs, what befell its workers and the database, its end."""
    index = _index(history)
    own = list(index.of_task.get(task, ()))
    keys = {event.key for event in own if isinstance(event, Op) and event.key is not None}
    own += [event for key in keys for event in index.of_key.get(key, ())]
    if not own:
        return ()
    near = _near(own)
    return lines([*own, *(event for event in index.world if _concerns(history, event, near))])


def lines(events: Iterable[Event]) -> tuple[str, ...]:
    """Return one line for each event, in the order in which they happened."""
    return tuple(f"{event.t:8.3f} {_told(event)}" for event in sorted(events, key=lambda event: event.t))


def tell(history: History, anomaly: str, found: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
    """Return findings for (task, message) pairs, the first ones with their story."""
    return tuple(
        Finding(
            anomaly=anomaly,
            message=message,
            task=task,
            story=story(history, task) if number < STORIES_MAX else (),
        )
        for number, (task, message) in enumerate(found)
    )


def _near(own: list[Event]) -> dict[str, Span]:
    """Return from when to when each worker had to do with the task; the empty name stands for all of it."""
    near: dict[str, Span] = {}
    for event in own:
        if not isinstance(event, Witnessed):
            continue
        for name in ("", event.worker):
            begin, end = near.get(name, (event.t - PRELUDE_S, event.t))
            near[name] = (min(begin, event.t - PRELUDE_S), max(end, event.t + AFTERMATH_S))
    return near


def _concerns(history: History, event: Event, near: dict[str, Span]) -> bool:
    names: tuple[str, ...] = ("",)
    if isinstance(event, Struck):
        names = event.victims
    elif isinstance(event, InstanceChanged):
        names = (event.instance,)
    whole = ["" for name in names if service_of(history, name) in DATABASES]
    spans = (near[name] for name in (*names, *whole) if name in near)
    return any(begin <= event.t <= end for begin, end in spans)


def _told(event: Event) -> str:
    match event:
        case Op():
            return _call(event)
        case Witnessed():
            return f"{event.worker} {event.event} attempt {event.attempt}"
        case Struck():
            detail = f" ({event.detail})" if event.detail else ""
            return f"strike {event.strike}: {event.fault} {', '.join(event.victims)}: {event.stage}{detail}"
        case InstanceChanged():
            code = "" if event.code is None else f" (code {event.code})"
            return f"{event.instance} {event.state}{code}"
        case PhaseChanged():
            return f"phase {event.phase} {event.what}s"
        case Reported():
            dead = ", in the dead-letter queue" if event.dead_lettered else ""
            return f"the service's last word: {event.status}{dead}"
        case _:
            return type(event).__name__


def _call(op: Op) -> str:
    who = f"{op.client}: {op.call}"
    if op.outcome == "ok":
        return f"{who} acknowledged" if op.call == "submit" else f"{who} ok"
    meaning = "had no effect" if op.outcome == "fail" else "may have taken effect"
    status = "" if op.status is None else f" (status {op.status})"
    return f"{who} {meaning}{status}{': ' + op.error if op.error else ''}"
