"""database_load: the database keeps up with the load that the service puts on it."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.figures import quantile, seconds
from capsize.checkers.spans import Span, touches
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict

Looks = list[dict[str, Any]]


class DatabaseLoad(msgspec.Struct, frozen=True, kw_only=True):
    """During ``phases`` the database answered soon, its locks moved on, and its connections sufficed.

    99 of 100 of capsize's own statements are answered within ``p99_max_s``: they wait in the same line for
    processor and disk as the service's, though for none of its locks. No session waits for a lock longer than
    ``lock_wait_max_s``, no more than ``deadlocks_max`` deadlocks are broken up by the server, and at most
    ``connections_max`` of the connections that it allows are in use. UNKNOWN with fewer than ``looks_min`` looks.
    """

    name: ClassVar[str] = "database_load"

    p99_max_s: float = 0.5
    lock_wait_max_s: float = 2.0
    deadlocks_max: int = 0
    connections_max: float = 0.9
    phases: tuple[str, ...] = ("chaos", "recovery", "drain")
    looks_min: int = 10

    def check(self, history: History) -> Result:
        """Go through the looks of the two database probes."""
        spans = [span for name in self.phases if (span := history.phase(name)) is not None]
        loads, pings = _looks(history, "database_load", spans), _looks(history, "database", spans)
        took = [float(values["latency_s"]) for values in [*loads, *pings] if "latency_s" in values]
        if len(loads) < self.looks_min or not took:
            summary = f"{len(loads)} looks at the database's load; {self.looks_min} are needed to judge"
            return Result(checker=self.name, verdict=Verdict.UNKNOWN, summary=summary)
        measures = _measures(loads, took) | _before(history)
        problems = self._problems(measures)
        fine = (
            f"statements within {measures['statement_p99_s'] * 1000:.0f} ms (p99), "
            f"{measures['connections_max']} connections, no lock held up for long"
        )
        return Result(
            checker=self.name,
            verdict=Verdict.FAIL if problems else Verdict.PASS,
            summary="; ".join(problems) or fine,
            measures=measures,
            findings=tuple(Finding(anomaly=self.name, message=problem) for problem in problems),
        )

    def _problems(self, found: dict[str, Any]) -> list[str]:
        problems: list[str] = []
        if found["deadlocks"] > self.deadlocks_max:
            problems.append(f"the database broke up {found['deadlocks']} deadlocks")
        if found["lock_wait_max_s"] > self.lock_wait_max_s:
            limit = f"{self.lock_wait_max_s:g} s is the limit"
            problems.append(f"a session waited {found['lock_wait_max_s']:.1f} s for a lock; {limit}")
        if found["connections_max"] > self.connections_max * found["connections_allowed"]:
            allowed = found["connections_allowed"]
            problems.append(f"{found['connections_max']} of {allowed} connections were in use")
        if found["statement_p99_s"] > self.p99_max_s:
            limit = f"{self.p99_max_s:g} s is the limit"
            problems.append(f"1 of 100 statements took over {found['statement_p99_s']:.2f} s; {limit}")
        return problems


def _looks(history: History, probe: str, spans: list[Span]) -> Looks:
    return [
        sample.values
        for sample in history.of(Sample)
        if sample.probe == probe and sample.error is None and touches(spans, sample.began, sample.began)
    ]


def _before(history: History) -> dict[str, Any]:
    """Return the usual time of a statement before the load, to compare with."""
    steady = history.phase("steady")
    looks = _looks(history, "database", [steady] if steady else [])
    took = [float(values["latency_s"]) for values in looks if "latency_s" in values]
    return {"statement_before_p50_s": seconds(quantile(took, 0.5))} if took else {}


def _measures(loads: Looks, took: list[float]) -> dict[str, Any]:
    def most(name: str) -> Any:
        return max(values.get(name, 0) for values in loads)

    commits = [values["commits"] for values in loads if "commits" in values]
    return {
        "looks": len(loads),
        "statement_p50_s": seconds(quantile(took, 0.5)),
        "statement_p99_s": seconds(quantile(took, 0.99)),
        "statement_max_s": seconds(max(took)),
        "connections_max": most("connections"),
        "connections_allowed": most("connections_allowed"),
        "active_max": most("active"),
        "waiting_max": most("waiting"),
        "lock_wait_max_s": seconds(float(most("lock_wait_s"))),
        "transaction_max_s": seconds(float(most("transaction_s"))),
        "deadlocks": most("deadlocks") - min(values.get("deadlocks", 0) for values in loads),
        "commits": max(commits) - min(commits) if commits else None,
    }
