"""When the chaos has gone far enough: conditions on what a run records live, as text in the experiment.

    api_success < 10% for 30s

A condition holds from the first moment at which it is seen to be true until one at which it is seen to be false;
a figure that nobody looks at meanwhile changes nothing. Pure: it is told of events, and asked with a time.
"""

from __future__ import annotations

import operator
import re
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from capsize.core.errors import CapsizeError, UsageError
from capsize.core.events import Event, InstanceChanged, Op, PhaseChanged, Sample
from capsize.core.registry import unknown

RATIO_WINDOW_S = 1.0
"""Over how long the rates of good answers are taken."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_PERCENT, _BYTES, _NUMBER = (
    {"%": 0.01},
    {"KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    {"": 1.0},
)
METRICS: dict[str, dict[str, float]] = {
    "api_success": _PERCENT,
    "ready": _PERCENT,
    "pending": _NUMBER,
    "running": _NUMBER,
    "instances_down": _NUMBER,
    "memory": _BYTES,
}
"""What can be asked, with the units that a figure may have and what each stands for.

``api_success``: API calls that came out well; ``ready``: good answers of the availability probe; ``pending`` and
``running``: tasks, by the service's count; ``instances_down``: instances that were ready and are not; ``memory``: the
resident bytes of the largest instance.
"""
_FORM = re.compile(
    r"\s*(?P<metric>\w+)\s*(?P<sign><=|>=|<|>)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[A-Za-z]*?)"
    r"(?:\s+for\s+(?P<hold>\d+(?:\.\d+)?)\s*(?P<of>ms|s|m))?\s*"
)


class Aborted(CapsizeError):
    """A guardrail was reached: the chaos is stopped and healed, and the run proves nothing more."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition: a figure below or above a bound, for ``hold_s`` without a break."""

    text: str
    metric: str
    sign: str
    bound: float
    hold_s: float = 0.0

    def holds(self, value: float) -> bool:
        """Return whether a figure is on the wrong side of the bound."""
        return _COMPARISONS[self.sign](value, self.bound)


def condition(text: str) -> Condition:
    """Return the condition that a text stands for. Raises UsageError with what is wrong and what would do."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"the condition {text!r} is not of the form METRIC < NUMBER for DURATION, "
            "as in 'api_success < 10% for 30s' or 'pending > 500'"
        )
    metric, unit = found["metric"], found["unit"]
    if metric not in METRICS:
        raise UsageError(f"the condition {text!r}: {unknown('figure', metric, METRICS)}")
    units = METRICS[metric]
    if unit not in units:
        known = ", ".join(f"{found['number']}{known}" for known in units)
        raise UsageError(f"the condition {text!r}: {metric} is to be compared with a figure like {known}")
    hold_s = float(found["hold"]) * _SECONDS[found["of"]] if found["hold"] else 0.0
    bound = float(found["number"]) * units[unit]
    if units is _PERCENT and bound > 1:
        raise UsageError(f"the condition {text!r}: a share can't be compared with more than 100%")
    return Condition(
        text=" ".join(text.split()), metric=metric, sign=found["sign"], bound=bound, hold_s=hold_s
    )


class Guardrails:
    """Is told of every event, and says when a condition has held long enough within the chaos phase."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._conditions = tuple(condition(text) for text in texts)
        self._since: dict[str, float] = {}
        self._chaos = False
        self._seen: set[str] = set()
        self._answers: dict[str, deque[tuple[float, bool]]] = {"api_success": deque(), "ready": deque()}
        self._values: dict[str, float] = {}
        self._been_up: set[str] = set()
        self._down: set[str] = set()
        self._memory: dict[str, float] = {}

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case PhaseChanged(phase="chaos"):
                self._chaos = event.what == "begin"
                self._since.clear()
            case Op(call="ready"):
                self._answered("ready", event)
            case Op() if event.call.startswith("api:"):
                self._answered("api_success", event)
            case InstanceChanged():
                self._changed(event)
            case Sample(probe="stats", error=None):
                for name in ("pending", "running"):
                    if name in event.values:
                        self._see(name, float(event.values[name]))
            case Sample(probe="resources", error=None) if "rss_bytes" in event.values:
                self._memory[event.subject] = float(event.values["rss_bytes"])
                self._see("memory", max(self._memory.values()))
            case _:
                pass

    def reached(self, now: float) -> str | None:
        """Return which condition has held long enough and what was seen; None while none has."""
        if not self._chaos:
            return None
        for asked in self._conditions:
            value = self._figure(asked.metric, now)
            if value is not None and not asked.holds(value):
                self._since.pop(asked.text, None)
                continue
            if value is not None:
                self._since.setdefault(asked.text, now)
            since = self._since.get(asked.text)
            if since is not None and now - since >= asked.hold_s:
                return f"{asked.text}: {_shown(asked.metric, self._values[asked.metric])} since {since:.1f} s"
        return None

    def raise_reached(self, now: float) -> None:
        """Raise Aborted when a condition has held long enough."""
        reached = self.reached(now)
        if reached is not None:
            raise Aborted(reached)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Return the conditions whose figure nobody ever looked at: they could not have stopped anything."""
        return tuple(asked.text for asked in self._conditions if asked.metric not in self._seen)

    def _figure(self, metric: str, now: float) -> float | None:
        """Return what a figure is now, None when it is not known."""
        answers = self._answers.get(metric)
        if answers is not None:
            while answers and answers[0][0] < now - RATIO_WINDOW_S:
                answers.popleft()
            if not answers:
                return None
            self._values[metric] = sum(good for _, good in answers) / len(answers)
        return self._values.get(metric)

    def _answered(self, metric: str, op: Op) -> None:
        self._seen.add(metric)
        self._answers[metric].append((op.t, op.outcome == "ok"))

    def _changed(self, event: InstanceChanged) -> None:
        if event.state == "ready":
            self._been_up.add(event.instance)
            self._down.discard(event.instance)
        elif event.instance in self._been_up:
            # A job that was run to its end was never up, and is not missed.
            self._down.add(event.instance)
            self._memory.pop(event.instance, None)
        self._see("instances_down", len(self._down))

    def _see(self, metric: str, value: float) -> None:
        self._seen.add(metric)
        self._values[metric] = value


def _shown(metric: str, value: float) -> str:
    if METRICS[metric] is _PERCENT:
        return f"{value * 100:.1f}%"
    return f"{value / 1e6:.0f} MB" if METRICS[metric] is _BYTES else f"{value:g}"
