"""recovery_trend: the tenth recovery is as quick as the first."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.checkers.derived import derived
from capsize.checkers.figures import counted, seconds
from capsize.checkers.fleet import fleet, workers
from capsize.checkers.lives import lives
from capsize.checkers.recovered import Recovery, recoveries
from capsize.checkers.slopes import Slope, theil_sen
from capsize.checkers.strikes import service_of
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class RecoveryTrend(msgspec.Struct, frozen=True, kw_only=True):
    """No service's recovery time surely grew from cycle to cycle.

    The trend of each of ``services`` is the Theil-Sen slope of its recovery times over the number of the cycle,
    with its 95% interval. It fails when it surely grows, so that the whole interval lies above zero, and by
    enough to matter: the slope is above ``growth_max`` of the quickest time and above ``growth_min_s``, both per
    cycle. With five cycles the interval spans all slopes, so that one time out of order hides a trend; with six
    it does not. Either way chance alone puts the interval above zero in one of 120 runs, and seldom by so much. What the supervisor waited before a restart by its own policy is taken out; it
    doubles by design and is the platform's. Cycles that the next strike overtook are left out.

    UNKNOWN with fewer than ``cycles_min`` timed cycles of a service. The measures tell mean, maximum and trend,
    and how long it took to the first successful request, of the readiness that asks the database (for workers:
    to the first task begun).
    """

    name: ClassVar[str] = "recovery_trend"

    services: tuple[str, ...] = ("api", "worker", "postgres")
    growth_max: float = 0.1
    growth_min_s: float = 0.15
    cycles_min: int = 5
    good_in_row: int = 5
    onset_s: float = 2.0

    def check(self, history: History) -> Result:
        """Fit a line to each service's recoveries."""
        measures: dict[str, Any] = {}
        findings: list[Finding] = []
        doubts: list[str] = []
        told: list[str] = []
        for service in self.services:
            found = recoveries(history, service, self.good_in_row, self.onset_s)
            timed = [one for one in found if one.took_s is not None and not one.superseded]
            times = [own_s(history, one) for one in timed]
            slope = theil_sen([float(n) for n in range(len(times))], times)
            measures |= _measures(history, service, timed, times, slope)
            if len(times) < self.cycles_min or slope is None:
                doubts.append(
                    f"{counted(len(times), 'cycle')} of {service} were timed, {self.cycles_min} needed"
                )
                continue
            told.append(f"{service} {sum(times) / len(times):.2f} s on average {_trend(slope)}")
            if self._grows(slope, times):
                findings.append(_finding(service, slope, timed, times))
        verdict = Verdict.FAIL if findings else Verdict.UNKNOWN if doubts else Verdict.PASS
        summary = findings[0].message if findings else "; ".join(doubts or told)
        return Result(
            checker=self.name, verdict=verdict, summary=summary, measures=measures, findings=tuple(findings)
        )

    def _grows(self, slope: Slope, times: list[float]) -> bool:
        return slope.low > 0 and slope.middle > max(self.growth_max * min(times), self.growth_min_s)


def own_s(history: History, one: Recovery) -> float:
    """Return a recovery time without what the supervisor waited before it started the next process."""
    return max(0.0, (one.took_s or 0.0) - _restart_delay_s(history, one))


def _restart_delay_s(history: History, one: Recovery) -> float:
    delays = [0.0]
    for victim in one.strike.victims:
        line = fleet(history).incarnations.get(victim, [])
        for before, after in pairwise(line):
            if before.gone is None or before.on_purpose:
                continue
            if one.strike.begin <= before.gone <= (one.back or one.seen_until):
                delays.append(after.born - before.gone)
    return max(delays)


def _first_success_s(history: History, one: Recovery) -> float | None:
    """Return the seconds from the strike to the first good answer after a bad one, or to a victim's first task."""
    if one.down is None:
        return None
    if any(service_of(history, victim) in _worker_services(history) for victim in one.strike.victims):
        starts = [
            run.began
            for victim in one.strike.victims
            for run in lives(history).by_worker.get(victim, ())
            if one.back is not None and run.began >= one.back - 0.1
        ]
        return min(starts) - one.since if starts else None
    down = one.down
    good = next((op.t for op in ready(history) if op.sent >= down and op.outcome == "ok"), None)
    return None if good is None else good - one.since


@derived
def _worker_services(history: History) -> frozenset[str]:
    return frozenset(service_of(history, worker) for worker in workers(history))


def _measures(
    history: History, service: str, timed: list[Recovery], times: list[float], slope: Slope | None
) -> dict[str, Any]:
    measures: dict[str, Any] = {f"{service}_cycles": len(times)}
    if times:
        measures[f"{service}_mean_s"] = seconds(sum(times) / len(times))
        measures[f"{service}_max_s"] = seconds(max(times))
        measures[f"{service}_times_s"] = [seconds(took) for took in times]
    if slope is not None:
        measures[f"{service}_trend_s_per_cycle"] = seconds(slope.middle)
        measures[f"{service}_trend_low_s"] = seconds(slope.low)
        measures[f"{service}_trend_high_s"] = seconds(slope.high)
    first = [took for one in timed if (took := _first_success_s(history, one)) is not None]
    if first:
        what = "first_task" if service in _worker_services(history) else "first_success"
        measures[f"{service}_{what}_mean_s"] = seconds(sum(first) / len(first))
        measures[f"{service}_{what}_max_s"] = seconds(max(first))
    return measures


def _trend(slope: Slope) -> str:
    return (
        f"({slope.middle * 1000:+.0f} ms per cycle, 95%: {slope.low * 1000:+.0f} to {slope.high * 1000:+.0f})"
    )


def _finding(service: str, slope: Slope, timed: list[Recovery], times: list[float]) -> Finding:
    story = tuple(
        f"{one.strike.begin:8.3f} {one.strike.fault} {', '.join(one.strike.victims)}: back after {took:.2f} s"
        for one, took in zip(timed, times, strict=True)
    )
    message = f"{service} took longer to recover from cycle to cycle: {times[0]:.2f} s, then {times[-1]:.2f} s {_trend(slope)}"
    return Finding(anomaly="recovery_trend", message=message, story=story)
