"""instrument: capsize itself was punctual enough for its record to be evidence."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import held_back
from capsize.checkers.figures import quantile, seconds
from capsize.core.events import Op, Sample
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """The event loop's lag and the lateness of sends stayed below limits in 99 of 100 cases.

    ``lag_p99_max_s`` bounds the median over the probe's windows of each window's 99th percentile, so that one
    bad half second does not condemn a run; ``stalled_max`` bounds the share of windows above it.
    ``lateness_p99_max_s`` bounds sent - planned over all calls. The limits are what the evidence needs, not
    what a quiet machine reaches: recovery times are told in tenths of seconds, and the order of announcements
    does not rest on punctuality, since a worker waits until each is delivered. Too slow is UNKNOWN: the
    service may be blameless. So is a run without either measurement.
    """

    name: ClassVar[str] = "instrument"

    lag_p99_max_s: float = 0.1
    lateness_p99_max_s: float = 0.1
    stalled_max: float = 0.1

    def check(self, history: History) -> Result:
        """Read the probe's windows and each call's own lateness."""
        windows = [s.values for s in history.of(Sample) if s.probe == "instrument" and s.error is None]
        lags = [float(values["lag_p99_s"]) for values in windows if "lag_p99_s" in values]
        longest = [float(values["lag_max_s"]) for values in windows if "lag_max_s" in values]
        late = [op.sent - op.planned for op in history.of(Op) if not held_back(op)]
        doubts = self._doubts(lags, late)
        measures: dict[str, Any] = {"windows": len(lags), "calls": len(late)}
        if lags:
            measures["lag_p99_s"] = seconds(quantile(lags, 0.5))
            measures["stalled_share"] = round(self._stalled(lags), 4)
        if longest:
            measures["lag_max_s"] = seconds(max(longest))
        if late:
            measures["lateness_p50_s"] = seconds(quantile(late, 0.5))
            measures["lateness_p99_s"] = seconds(quantile(late, 0.99))
            measures["lateness_max_s"] = seconds(max(late))
        return Result(
            checker=self.name,
            verdict=Verdict.UNKNOWN if doubts else Verdict.PASS,
            summary="; ".join(doubts) or "capsize kept its own times",
            measures=measures,
        )

    def _stalled(self, lags: list[float]) -> float:
        return sum(lag > self.lag_p99_max_s for lag in lags) / len(lags)

    def _doubts(self, lags: list[float], late: list[float]) -> list[str]:
        doubts: list[str] = []
        if not lags:
            doubts.append("capsize's own lag was not measured")
        elif self._stalled(lags) > self.stalled_max:
            share, limit = self._stalled(lags), self.lag_p99_max_s * 1000
            doubts.append(f"capsize lagged by more than {limit:.0f} ms in {share:.0%} of the time")
        if not late:
            doubts.append("no call was sent")
        elif quantile(late, 0.99) > self.lateness_p99_max_s:
            p99, limit = quantile(late, 0.99) * 1000, self.lateness_p99_max_s * 1000
            doubts.append(f"calls were sent up to {p99:.0f} ms late (p99), more than {limit:.0f} ms")
        return doubts
