"""The steady-state hypothesis: what is normal, as data, and one way to tell whether it holds at a moment.

The runner asks it live, before anything is harmed and again afterwards; the ``steady`` checker asks the same
code about the recorded history.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Annotated

import msgspec

from capsize.core.events import Event, InstanceChanged, Op, Sample, Witnessed

READY = "ready"
API = "api:"
LATE_S = 0.1
"""A call that capsize itself sent later than this says nothing of the service's speed."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal, with tolerances; what has not been looked at yet does not break it, but for ``looks``
    and ``instances``.

    At least ``ready_min`` of the last ``looks`` availability answers are good. Within the last ``window_s``
    the API calls' 99th percentile, from the planned time, is at most ``api_p99_max_s`` (None: not asked), and
    the queue grew by at most ``backlog_growth_max`` waiting tasks (None: not asked; 0 still allows a queue that
    stands or drains). With ``instances_ready`` no instance is starting, dead, or given up; one that was taken
    down on purpose does not count. Latencies are not scaled with a run's time.

    Asked only where a scenario says so: within the window at least ``api_success_min`` of the API calls
    succeed; no accepted task has waited longer than ``waiting_max_s`` for its first run, by the witness; at
    least so many ``instances`` of each service are ready; the last independent look found the ``database`` up;
    the circuits of these kinds of tasks are closed (``circuits_closed``), as the service shows them.
    """

    looks: Annotated[int, msgspec.Meta(ge=1)] = 10
    ready_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.99
    api_p99_max_s: float | None = 1.0
    backlog_growth_max: int | None = 3
    instances_ready: bool = True
    window_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    api_success_min: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    waiting_max_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    instances: dict[str, int] = msgspec.field(default_factory=dict)
    database: bool = False
    circuits_closed: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """Return what is asked, each as a short sentence; numbers of instances are the plan's and left out."""
        window = f"within {self.window_s:g} s"
        asked = {
            f"at least {self.ready_min:.0%} of the last {self.looks} readiness answers are good": True,
            f"at least {self.api_success_min or 0:.0%} of the API calls {window} succeed": self.api_success_min,
            f"the API's p99 {window} is at most {self.api_p99_max_s or 0:g} s": self.api_p99_max_s,
            f"the queue grows by at most {self.backlog_growth_max} tasks {window}": self.backlog_growth_max
            is not None,
            f"no accepted task waits over {self.waiting_max_s or 0:g} s for its first run": self.waiting_max_s,
            "no instance is starting, dead or given up": self.instances_ready,
            f"ready in full number: {', '.join(sorted(self.instances))}": self.instances,
            "the database answers beside the service": self.database,
            f"closed circuits: {', '.join(self.circuits_closed)}": self.circuits_closed,
        }
        return tuple(sentence for sentence, wanted in asked.items() if wanted not in (False, None, {}, ()))


class Steadiness:
    """Is told of every event as it comes, and says what of a hypothesis does not hold; keeps one window."""

    def __init__(self, hypothesis: Hypothesis | None = None) -> None:
        self.hypothesis = hypothesis or Hypothesis()
        self._answers: deque[bool] = deque(maxlen=self.hypothesis.looks)
        self._latencies: deque[tuple[float, float]] = deque()
        self._pending: deque[tuple[float, int]] = deque()
        self._down: set[str] = set()
        self._ready: dict[str, set[str]] = {}
        self._calls: deque[tuple[float, int]] = deque()
        self._waiting: dict[str, float] = {}
        self._begun: set[str] = set()
        self._database_up = True
        self._circuits: dict[str, str] = {}

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Op():
                self._answered(event)
            case Sample(probe="stats", error=None) if "pending" in event.values:
                self._pending.append((event.t, int(event.values["pending"])))
                self._forget(self._pending, event.t)
            case Sample(probe="database"):
                self._database_up = event.error is None
            case Sample(probe="breaker", error=None):
                self._circuits = {kind: str(state) for kind, state in event.values.items()}
            case InstanceChanged():
                self._changed(event)
            case Witnessed():
                self._begun.add(event.task)
                self._waiting.pop(event.task, None)
            case _:
                pass

    def _answered(self, op: Op) -> None:
        if op.call == "ready":
            self._answers.append(op.outcome == "ok")
        elif op.call.startswith(API):
            self._calls.append((op.t, op.outcome == "ok"))
            self._forget(self._calls, op.t)
            if op.sent - op.planned <= LATE_S:
                self._latencies.append((op.t, op.t - op.planned))
                self._forget(self._latencies, op.t)
        elif op.outcome == "ok" and op.task is not None:
            if op.call == "submit" and op.task not in self._begun:
                self._waiting.setdefault(op.task, op.t)
            elif op.call == "cancel":
                self._waiting.pop(op.task, None)

    def _changed(self, event: InstanceChanged) -> None:
        ready = self._ready.setdefault(event.service, set())
        if event.state == "ready":
            ready.add(event.instance)
        else:
            ready.discard(event.instance)
        if event.state in ("starting", "exited", "gave_up"):
            self._down.add(event.instance)
        else:
            # A stopped instance is down on purpose: it does not keep the system from being steady.
            self._down.discard(event.instance)

    def steady(self, now: float) -> bool:
        """Return whether the hypothesis holds at this moment."""
        return not any(True for _ in self._broken(now))

    def broken(self, now: float) -> tuple[str, ...]:
        """Return what of it does not hold at this moment, each as a short sentence."""
        return tuple(self._broken(now))

    def _broken(self, now: float) -> Iterator[str]:
        asked = self.hypothesis
        if asked.instances_ready and self._down:
            yield f"not ready: {', '.join(sorted(self._down))}"
        good = sum(self._answers)
        if len(self._answers) < asked.looks:
            yield f"only {len(self._answers)} of {asked.looks} readiness answers so far"
        elif good < asked.ready_min * asked.looks:
            yield f"only {good} of the last {asked.looks} readiness answers were good"
        latencies = self._within(self._latencies, now)
        if asked.api_p99_max_s is not None and latencies:
            p99 = sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]
            if p99 > asked.api_p99_max_s:
                yield f"the API's p99 was {p99:.3f} s, above {asked.api_p99_max_s:g} s"
        pending = self._within(self._pending, now)
        if asked.backlog_growth_max is not None and pending:
            growth = int(pending[-1] - pending[0])
            if growth > asked.backlog_growth_max:
                yield f"the queue grew by {growth} tasks, more than {asked.backlog_growth_max}"
        yield from self._lacking(now)

    def _lacking(self, now: float) -> Iterator[str]:
        """Tell what is broken of that which only some scenarios ask."""
        asked = self.hypothesis
        calls = self._within(self._calls, now)
        if asked.api_success_min is not None and calls and sum(calls) < asked.api_success_min * len(calls):
            yield f"only {int(sum(calls))} of {len(calls)} API calls succeeded"
        oldest = next(iter(self._waiting.values()), now)
        if asked.waiting_max_s is not None and now - oldest > asked.waiting_max_s:
            yield f"a task has waited {now - oldest:.1f} s for its first run, over {asked.waiting_max_s:g} s"
        for service, number in sorted(asked.instances.items()):
            if (there := len(self._ready.get(service, ()))) < number:
                yield f"only {there} of {number} instances of {service} ready"
        if asked.database and not self._database_up:
            yield "the database does not answer"
        for kind in asked.circuits_closed:
            if (state := self._circuits.get(kind, "closed")) != "closed":
                yield f"the circuit of {kind} is {state}"

    def _within(self, seen: deque[tuple[float, float]] | deque[tuple[float, int]], now: float) -> list[float]:
        return [value for t, value in seen if t >= now - self.hypothesis.window_s]

    def _forget(self, seen: deque[tuple[float, float]] | deque[tuple[float, int]], now: float) -> None:
        while seen and seen[0][0] < now - self.hypothesis.window_s:
            seen.popleft()
