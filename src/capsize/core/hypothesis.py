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

from capsize.core.events import Event, InstanceChanged, Op, Sample

READY = "ready"
API = "api:"
LATE_S = 0.1
"""A call that capsize itself sent later than this says nothing of the service's speed."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal, with tolerances; what has not been looked at yet does not break it, but for ``looks``.

    At least ``ready_min`` of the last ``looks`` availability answers are good. Within the last ``window_s``
    the API calls' 99th percentile, from the planned time, is at most ``api_p99_max_s`` (None: not asked), and
    the queue grew by at most ``backlog_growth_max`` waiting tasks (None: not asked; 0 still allows a queue that
    stands or drains). With ``instances_ready`` no instance is starting, dead, or given up; one that was taken
    down on purpose does not count. Latencies are not scaled with a run's time.
    """

    looks: Annotated[int, msgspec.Meta(ge=1)] = 10
    ready_min: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.99
    api_p99_max_s: float | None = 1.0
    backlog_growth_max: int | None = 3
    instances_ready: bool = True
    window_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0


class Steadiness:
    """Is told of every event as it comes, and says what of a hypothesis does not hold; keeps one window."""

    def __init__(self, hypothesis: Hypothesis | None = None) -> None:
        self.hypothesis = hypothesis or Hypothesis()
        self._answers: deque[bool] = deque(maxlen=self.hypothesis.looks)
        self._latencies: deque[tuple[float, float]] = deque()
        self._pending: deque[tuple[float, int]] = deque()
        self._down: set[str] = set()

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Op(call="ready"):
                self._answers.append(event.outcome == "ok")
            case Op() if event.call.startswith(API) and event.sent - event.planned <= LATE_S:
                self._latencies.append((event.t, event.t - event.planned))
                self._forget(self._latencies, event.t)
            case Sample(probe="stats", error=None) if "pending" in event.values:
                self._pending.append((event.t, int(event.values["pending"])))
                self._forget(self._pending, event.t)
            case InstanceChanged(state="starting" | "exited" | "gave_up"):
                self._down.add(event.instance)
            case InstanceChanged():
                # A stopped instance is down on purpose: it does not keep the system from being steady.
                self._down.discard(event.instance)
            case _:
                pass

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

    def _within(self, seen: deque[tuple[float, float]] | deque[tuple[float, int]], now: float) -> list[float]:
        return [value for t, value in seen if t >= now - self.hypothesis.window_s]

    def _forget(self, seen: deque[tuple[float, float]] | deque[tuple[float, int]], now: float) -> None:
        while seen and seen[0][0] < now - self.hypothesis.window_s:
            seen.popleft()
