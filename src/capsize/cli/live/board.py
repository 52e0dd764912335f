"""What the live view knows of a run, folded from its events; pure, no clock, no terminal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from capsize.checkers.answers import cut_short, held_back
from capsize.core.events import Event, InstanceChanged, Op, PhaseChanged, Sample, Struck, Witnessed
from capsize.core.experiment import Experiment
from capsize.report.progress import Progress
from capsize.report.wording import describe

BIN_S = 0.25
"""Rates are kept in bins of this length and drawn in whatever fits the terminal."""
CARRY = 16
"""A look at the queue counts for so many bins, unless there is a newer one."""
LINES_MAX = 200
LATENCY_WINDOW_S = 10.0
ENDED = frozenset({"finished", "recorded", "abandoned", "failed"})
OVER = frozenset({"healed", "missed", "failed", "heal_failed", "not_carried_out"})


@dataclass
class Strike:
    """One strike as it goes: ``began`` to ``ended`` in seconds, None while it lasts."""

    id: str
    fault: str
    victims: tuple[str, ...]
    stage: str
    began: float
    ended: float | None = None


@dataclass
class Rates:
    """Good and all answers by bin of time."""

    bins: dict[int, list[int]] = field(default_factory=dict)

    def add(self, t: float, good: bool) -> None:
        """Count one answer."""
        one = self.bins.setdefault(int(t / BIN_S), [0, 0])
        one[0] += good
        one[1] += 1

    def between(self, begin: float, end: float) -> float | None:
        """Return the share of good answers in a stretch of time, None when there was none."""
        first, last = int(begin / BIN_S), max(int(begin / BIN_S), int((end - 1e-9) / BIN_S))
        found = [self.bins[number] for number in range(first, last + 1) if number in self.bins]
        total = sum(one[1] for one in found)
        return sum(one[0] for one in found) / total if total else None


class Board:
    """A run so far: its phases, strikes, instances, rates, queue and last lines."""

    def __init__(
        self, experiment: Experiment, number: int = 1, total: int = 1, *, verbose: bool = False
    ) -> None:
        self.experiment, self.number, self.total = experiment, number, total
        self.progress = Progress()
        self.phases: list[tuple[str, float]] = []
        self.strikes: dict[str, Strike] = {}
        self.instances: dict[str, list[tuple[float, str]]] = {}
        self.inside: dict[str, str] = {}
        self.api, self.ready = Rates(), Rates()
        self.queue: dict[int, int] = {}
        self.depth: int | None = None
        self.latencies: deque[tuple[float, float]] = deque()
        self.lines: deque[tuple[float, str, Event | None]] = deque(maxlen=LINES_MAX)
        self._verbose = verbose

    @property
    def t(self) -> float:
        """Return the time of the last event."""
        return self.progress.t

    def observe(self, event: Event) -> None:
        """Take one event into account."""
        self.progress.observe(event)
        line = describe(event, verbose=self._verbose)
        if line is not None:
            self.lines.append((event.t, line, event))
        match event:
            case PhaseChanged(what="begin"):
                self.phases.append((event.phase, event.t))
            case Struck():
                self._struck(event)
            case InstanceChanged():
                self._changed(event)
            case Witnessed():
                self._announced(event)
            case Op():
                self._answered(event)
            case Sample(probe="stats", error=None):
                self._counted(event)
            case _:
                pass

    def say(self, message: str) -> None:
        """Take a line that is no event."""
        self.lines.append((self.t, message, None))

    def state(self, instance: str, t: float) -> str:
        """Return an instance's state at a moment, empty before it was started."""
        return next((state for at, state in reversed(self.instances.get(instance, [])) if at <= t), "")

    @property
    def carried_out(self) -> list[Strike]:
        """Return the strikes that were begun, in order; not those whose turn never came."""
        found = (one for one in self.strikes.values() if one.stage != "not_carried_out")
        return sorted(found, key=lambda one: one.began)

    def struck(self, instance: str, begin: float, end: float) -> bool:
        """Return whether a strike had the instance in its hands in a stretch of time."""
        return any(
            instance in one.victims and one.began < end and (one.ended is None or one.ended > begin)
            for one in self.strikes.values()
        )

    def phase_at(self, t: float) -> str:
        """Return the phase at a moment, empty before the first."""
        return next((name for name, began in reversed(self.phases) if began <= t), "")

    def deepest(self, begin: float, end: float) -> int | None:
        """Return the greatest depth of the queue in a stretch of time, as of the look before it when nobody looked."""
        first = int(begin / BIN_S)
        numbers = range(first, max(first, int((end - 1e-9) / BIN_S)) + 1)
        found = [self.queue[number] for number in numbers if number in self.queue]
        before = (
            self.queue[number] for number in range(first, max(-1, first - CARRY), -1) if number in self.queue
        )
        return max(found) if found else next(before, None)

    def p99_ms(self) -> float | None:
        """Return the 99th percentile of the latest API latencies in milliseconds."""
        found = sorted(latency for _, latency in self.latencies)
        return found[min(len(found) - 1, int(len(found) * 0.99))] * 1000 if found else None

    def _struck(self, event: Struck) -> None:
        one = self.strikes.get(event.strike)
        if one is None:
            one = Strike(event.strike, event.fault, event.victims, event.stage, event.t)
            self.strikes[event.strike] = one
        one.stage = event.stage
        one.victims = event.victims or one.victims
        if event.stage in OVER:
            one.ended = event.t

    def _changed(self, event: InstanceChanged) -> None:
        states = self.instances.setdefault(event.instance, [])
        states.append((event.t, event.state))
        if event.state in ("starting", "ready"):
            return
        self.inside.pop(event.instance, None)
        if event.code == 0 and all(state != "ready" for _, state in states):
            # A job that did what it was started for, and is no part of the system that stands.
            del self.instances[event.instance]

    def _announced(self, event: Witnessed) -> None:
        if event.event == "started":
            self.inside[event.worker] = event.task
        elif event.event in ENDED and self.inside.get(event.worker) == event.task:
            del self.inside[event.worker]

    def _answered(self, event: Op) -> None:
        if held_back(event) or cut_short(event):
            return
        if event.call == "ready":
            self.ready.add(event.t, event.outcome == "ok")
        elif event.call.startswith("api:"):
            self.api.add(event.t, event.outcome == "ok")
            self.latencies.append((event.t, event.t - event.planned))
            while self.latencies and self.latencies[0][0] < event.t - LATENCY_WINDOW_S:
                self.latencies.popleft()

    def _counted(self, event: Sample) -> None:
        counts = [event.values.get(name) for name in ("pending", "running")]
        known = [int(number) for number in counts if number is not None]
        if known:
            self.depth = sum(known)
            number = int(event.t / BIN_S)
            self.queue[number] = max(self.depth, self.queue.get(number, 0))
