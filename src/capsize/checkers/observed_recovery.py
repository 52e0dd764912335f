"""observed_recovery: however often the service was away, whoever broke it, it was soon back."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.answers import ready
from capsize.checkers.figures import counted, quantile, seconds
from capsize.checkers.spans import Span
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class ObservedRecovery(msgspec.Struct, frozen=True, kw_only=True):
    """Each time that the availability probe found the service away, it was back within ``target_s``.

    For a service that capsize can't break: somebody else does, and capsize looks on. An outage begins with the
    first of ``bad_in_row`` bad looks in a row, after the service was ready once, and ends with the first of
    ``good_in_row`` good ones. Over the target is PARTIAL, over ``limit_s`` FAIL. UNKNOWN when nothing was away,
    which proves nothing about a return, and when the looks end within the limit of an outage.
    """

    name: ClassVar[str] = "observed_recovery"

    target_s: float = 20.0
    limit_s: float = 30.0
    bad_in_row: int = 2
    good_in_row: int = 5

    def check(self, history: History) -> Result:
        """Time the outages."""
        outages, open_since, last = self._outages(history)
        times = [end - begin for begin, end in outages]
        bad = [(begin, end - begin) for begin, end in outages if end - begin > self.limit_s]
        if open_since is not None and last - open_since > self.limit_s:
            bad.append((open_since, last - open_since))
        findings = tuple(_finding(begin, took) for begin, took in bad)
        return Result(
            checker=self.name,
            verdict=self._verdict(bool(findings), times, open_since),
            summary=findings[0].message if findings else self._summary(times, open_since),
            measures=_measures(times),
            findings=findings,
        )

    def _outages(self, history: History) -> tuple[list[Span], float | None, float]:
        """Return the outages that ended, the begin of one that did not, and the moment of the last look."""
        begin: float | None = None
        ready_once, bad, good = False, 0, 0
        first_bad = first_good = last = 0.0
        found: list[Span] = []
        for op in ready(history):
            last = op.t
            if op.outcome != "ok":
                first_bad = op.sent if bad == 0 else first_bad
                bad, good = bad + 1, 0
                if ready_once and begin is None and bad >= self.bad_in_row:
                    begin = first_bad
                continue
            first_good = op.t if good == 0 else first_good
            bad, good, ready_once = 0, good + 1, True
            if begin is not None and good >= self.good_in_row:
                found.append((begin, first_good))
                begin = None
        return found, begin, last

    def _verdict(self, failed: bool, times: list[float], open_since: float | None) -> Verdict:
        if failed:
            return Verdict.FAIL
        if not times or open_since is not None:
            return Verdict.UNKNOWN
        return Verdict.PARTIAL if max(times) > self.target_s else Verdict.PASS

    def _summary(self, times: list[float], open_since: float | None) -> str:
        if open_since is not None:
            return "the looks ended while the service was away"
        if not times:
            return "the service was never away: break it while capsize looks on"
        return f"away {counted(len(times), 'time')}, back within {max(times):.3f} s at the latest"


def _measures(times: list[float]) -> dict[str, Any]:
    if not times:
        return {"outages": 0}
    return {
        "outages": len(times),
        "recovery_p50_s": seconds(quantile(sorted(times), 0.5)),
        "recovery_max_s": seconds(max(times)),
    }


def _finding(begin: float, took: float) -> Finding:
    message = f"the service was away from {begin:.3f} s, for {took:.3f} s"
    return Finding(anomaly="observed_recovery", message=message, story=(f"{begin:8.3f} first bad answer",))
