"""recovery: how soon the service is back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.checkers.figures import counted, quantile, seconds
from capsize.checkers.fleet import workers
from capsize.checkers.recovered import Recovery, recoveries
from capsize.checkers.strikes import service_of
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """The service is back within ``target_s`` of every strike on ``service``, at the latest within ``limit_s``.

    Back means that ``good_in_row`` looks of the availability probe in a row were answered well; the time ends
    with the first of these answers. It begins with the strike, or, for a strike that was held for a while,
    with its healing: the hold is capsize's own doing. For workers, which answer nobody, back means that every
    victim was ready again. An API that never dipped was back with its first good answer.

    Over the target is PARTIAL, over the limit or never is FAIL. UNKNOWN when no strike was followed to its
    end, when the run ended before the limit with the service still away, and when the probe looked more rarely
    than every ``resolution_max_s`` (median). A strike that the next one overtook within the limit is counted
    and not judged.
    """

    name: ClassVar[str] = "recovery"

    service: str
    target_s: float = 20.0
    limit_s: float = 30.0
    good_in_row: int = 5
    onset_s: float = 2.0
    resolution_max_s: float = 0.05

    def check(self, history: History) -> Result:
        """Time each strike's aftermath."""
        found = recoveries(history, self.service, self.good_in_row, self.onset_s)
        judged = [one for one in found if not self._overtaken(one)]
        times = [one.took_s for one in judged if one.took_s is not None]
        open_ = [one for one in judged if one.took_s is None and one.seen_until - one.since <= self.limit_s]
        bad = [
            one for one in judged if one not in open_ and (one.took_s is None or one.took_s > self.limit_s)
        ]
        slow = [time for time in times if self.target_s < time <= self.limit_s]
        resolution = _resolution(history)
        doubt = self._doubt(history, judged, open_, resolution[0])
        return Result(
            checker=self.name,
            verdict=self._verdict(bool(bad), doubt, bool(slow)),
            summary=doubt if doubt and not bad else self._summary(times, len(bad)),
            measures=_measures(times, found, len(found) - len(judged), resolution[1]),
            findings=tuple(self._finding(one) for one in bad),
        )

    def _overtaken(self, one: Recovery) -> bool:
        return one.superseded and (one.took_s is None or one.took_s <= self.limit_s)

    def _doubt(
        self, history: History, judged: list[Recovery], still_open: list[Recovery], resolution: float | None
    ) -> str | None:
        if not judged:
            return f"no strike on {self.service} was followed to its end"
        if still_open:
            seen = still_open[0].seen_until - still_open[0].since
            return f"{self.service} was away when the looking ended, {seen:.1f} s after the strike"
        if any(service_of(history, worker) == self.service for worker in workers(history)):
            return None
        if resolution is None or resolution > self.resolution_max_s:
            often = "never" if resolution is None else f"every {resolution * 1000:.0f} ms"
            return f"the availability probe looked {often}, too rarely to time a recovery"
        return None

    def _verdict(self, bad: bool, doubt: str | None, slow: bool) -> Verdict:
        if bad:
            return Verdict.FAIL
        if doubt:
            return Verdict.UNKNOWN
        return Verdict.PARTIAL if slow else Verdict.PASS

    def _finding(self, one: Recovery) -> Finding:
        victims = ", ".join(one.strike.victims)
        how = "did not come back" if one.took_s is None else f"came back after {one.took_s:.1f} s"
        limit = f"{self.limit_s:g} s is the limit"
        return Finding(
            anomaly="recovery",
            message=f"after strike {one.strike.id} ({one.strike.fault} {victims}) the service {how}; {limit}",
            story=tuple(f"{t:8.3f} strike {stage}" for stage, t in one.strike.stages.items()),
        )

    def _summary(self, times: list[float], bad: int) -> str:
        if bad:
            return f"{counted(bad, 'recovery', 'recoveries')} of {self.service} above {self.limit_s:g} s or never"
        longest = max(times)
        over = f", above the target of {self.target_s:g} s" if longest > self.target_s else ""
        return f"{self.service} back within {longest:.2f} s after {counted(len(times), 'strike')}{over}"


def _resolution(history: History) -> tuple[float | None, float | None]:
    """Return the median and the largest usual (95%) time between two looks."""
    sent = [op.sent for op in ready(history)]
    gaps = [after - before for before, after in pairwise(sent)]
    return (quantile(gaps, 0.5), quantile(gaps, 0.95)) if gaps else (None, None)


def _measures(
    times: list[float], found: tuple[Recovery, ...], overtaken: int, resolution: float | None
) -> dict[str, Any]:
    outages = [one.back - one.down for one in found if one.down is not None and one.back is not None]
    whole = [one.back - one.strike.begin for one in found if one.back is not None]
    measures: dict[str, Any] = {
        "recovery_n": len(times),
        "without_dip": sum(one.down is None for one in found),
        "superseded": overtaken,
    }
    if times:
        measures["recovery_p50_s"] = seconds(quantile(times, 0.5))
        measures["recovery_max_s"] = seconds(max(times))
    if whole:
        measures["from_strike_max_s"] = seconds(max(whole))
    if outages:
        measures["outage_max_s"] = seconds(max(outages))
    if resolution is not None:
        measures["resolution_s"] = seconds(resolution)
    return measures
