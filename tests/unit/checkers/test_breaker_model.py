"""A model of workers under a shared circuit: no whim of the world accuses it, every mistake of it is named."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from capsize.checkers.breaker_holds import BreakerHolds
from capsize.checkers.breaker_opens import BreakerOpens
from capsize.checkers.breaker_recovers import BreakerRecovers
from capsize.core.events import DependencyMode
from capsize.core.protocols import Checker
from capsize.core.verdict import Verdict
from support.histories import Past

FAILURES, OPEN_S, TIMEOUT_S = 5, 2.0, 1.0
BAD_S = 10.0
MODES: tuple[DependencyMode, ...] = ("fail", "hang", "garbage")


@dataclass
class Circuit:
    """The state that all workers share; what ``mistake`` names is done wrong."""

    mistake: str = ""
    state: str = "closed"
    failures: int = 0
    open_until: float = 0.0
    probe: int | None = None

    def admits(self, now: float) -> bool:
        """Return whether a run may begin now."""
        if self.state == "closed":
            return True
        if self.state == "open":
            return now >= self.open_until and self.mistake != "never half open"
        return self.probe is None or self.mistake == "all probe"

    def begin(self, run: int) -> None:
        """Let a run begin; the first after the open time is the probe."""
        if self.state != "closed":
            self.state, self.probe = "half_open", run

    def end(self, run: int, now: float, *, ok: bool) -> None:
        """Take a committed result into account."""
        if self.state == "closed":
            self.failures = 0 if ok else self.failures + 1
            limit = {"too late": 3 * FAILURES, "never opens": 10**9}.get(self.mistake, FAILURES)
            if self.failures >= limit:
                self.open(now)
        elif self.probe == run:
            self.state, self.probe, self.failures = "closed", None, 0
            if not ok:
                self.open(now)

    def open(self, now: float) -> None:
        """Open for the configured time."""
        hold = OPEN_S / 4 if self.mistake == "too short" else OPEN_S
        self.state, self.probe, self.open_until = "open", None, now + hold


@dataclass
class World:
    """Workers that look for work, call, and commit, each in its own time; and a service that is bad for a while."""

    seed: int
    workers: int
    mode: DependencyMode
    rate: float
    mistake: str = ""
    past: Past = field(default_factory=lambda: Past("worker-1"))

    def play(self) -> Past:
        """Let it be well, bad and well again, and return the history."""
        draw = random.Random(self.seed)
        circuit = Circuit(self.mistake)
        begin = draw.uniform(6.0, 7.0)
        end, over = begin + BAD_S, begin + BAD_S + 12.0
        self.past.becomes(begin, self.mode).becomes(end, "ok").phase("chaos", 0.0, over)
        # A task that nobody ever does: whoever does not recover has no excuse.
        self.past.submit(begin + 1.0, "W", client="calls")
        credit_at, runs = 0.0, 0
        agenda: list[tuple[float, int, str, int, bool]] = []
        for worker in range(self.workers):
            heapq.heappush(agenda, (draw.uniform(0.0, 0.5), worker, "look", 0, False))
        while agenda and agenda[0][0] < over:
            now, worker, what, run, ok = heapq.heappop(agenda)
            if what == "commit":
                circuit.end(run, now, ok=ok)
                heapq.heappush(agenda, (now + draw.uniform(0.0, 0.005), worker, "look", 0, False))
            elif credit_at > now or not circuit.admits(now):
                heapq.heappush(agenda, (now + draw.uniform(0.01, 0.5), worker, "look", 0, False))
            else:
                runs += 1
                credit_at = max(credit_at, now - 1.0) + 1.0 / self.rate
                circuit.begin(runs)
                heapq.heappush(agenda, self._call(draw, now, worker, runs, (begin, end)))
        return self.past

    def _call(
        self, draw: random.Random, now: float, worker: int, run: int, bad: tuple[float, float]
    ) -> tuple[float, int, str, int, bool]:
        """Make the call and return its commit, which is slow now and then."""
        arrived = now + draw.uniform(0.001, 0.02) + (0.2 if draw.random() < 0.01 else 0.0)
        mode = self.mode if bad[0] <= arrived < bad[1] else "ok"
        self.past.calls(round(arrived, 6), f"key-{run}", mode)
        took = TIMEOUT_S if mode == "hang" else 0.0
        commit = draw.uniform(0.002, 0.03) + (draw.uniform(0.1, 0.3) if draw.random() < 0.02 else 0.0)
        return arrived + took + commit, worker, "commit", run, mode == "ok"


def checkers(workers: int) -> tuple[Checker, ...]:
    """Return the claims as the scenario makes them."""
    return (
        BreakerOpens(failures=FAILURES, open_s=OPEN_S, workers=workers, timeout_s=TIMEOUT_S),
        BreakerHolds(failures=FAILURES, open_s=OPEN_S, timeout_s=TIMEOUT_S),
        BreakerRecovers(failures=FAILURES, open_s=OPEN_S, timeout_s=TIMEOUT_S, within_s=6.0),
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_sound_circuit_is_never_accused(mode: DependencyMode) -> None:
    """Two to four workers, few tasks or many, slow commits, calls under way at every turn: opened and closed."""
    for seed in range(150):
        workers, rate = 2 + seed % 3, (3.0, 6.0, 40.0)[seed % 7 % 3]
        history = World(seed, workers, mode, rate).play().history()
        for checker in checkers(workers):
            result = checker.check(history)
            assert result.verdict is Verdict.PASS, (seed, workers, rate, result.checker, result.summary)


def named(mistake: str, mode: DependencyMode) -> Callable[[int], set[str]]:
    """Return which claims fail for a seed."""

    def of(seed: int) -> set[str]:
        workers = 2 + seed % 3
        history = World(seed, workers, mode, 6.0, mistake).play().history()
        results = [checker.check(history) for checker in checkers(workers)]
        return {result.checker for result in results if result.verdict is Verdict.FAIL}

    return of


@pytest.mark.parametrize("mode", ["fail", "garbage"])
@pytest.mark.parametrize(
    ("mistake", "claim"),
    [
        ("never opens", "breaker_opens"),
        ("too late", "breaker_opens"),
        ("never half open", "breaker_recovers"),
        ("all probe", "breaker_holds"),
        ("too short", "breaker_opens"),
    ],
)
def test_a_mistaken_circuit_is_named(mistake: str, claim: str, mode: DependencyMode) -> None:
    """In every run, and under the right name; one that opens for too short was never seen to be open."""
    of = named(mistake, mode)
    found = [of(seed) for seed in range(40)]
    share = sum(claim in names for names in found) / len(found)
    # Whether two workers look at the very moment when the circuit is half open is chance.
    assert share >= (0.5 if mistake == "all probe" else 1.0), found
