"""breaker_holds: while the circuit is open nobody calls, save one probe at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import msgspec

from capsize.checkers.circuits import TOLERANCE_S, Opening, openings
from capsize.checkers.figures import counted, seconds, verdict_of
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class BreakerHolds(msgspec.Struct, frozen=True, kw_only=True):
    """Between the opening of the circuit and the first call that succeeds, calls come one by one.

    Each begins no sooner than ``open_s`` after the end of the one before: the half-open probe, whose failure
    opens the circuit again. By the outside service's own record. UNKNOWN when no circuit was seen to open.
    """

    name: ClassVar[str] = "breaker_holds"

    failures: int
    open_s: float
    timeout_s: float
    client: str = "calls"

    def check(self, history: History) -> Result:
        """Compare each call after the opening with the end of the one before it."""
        found = openings(
            history, self.client, failures=self.failures, open_s=self.open_s, timeout_s=self.timeout_s
        )
        opened = [one for one in found if one.opened is not None]
        findings = tuple(finding for one in opened for finding in self._early(one))
        probes = [call for one in opened for call in one.after]
        gaps = [later.begin - earlier.end for one in opened for earlier, later in pairwise(one.after)]
        measures: dict[str, float] = {"opened": len(opened), "probes": len(probes), "too_soon": len(findings)}
        if gaps:
            measures["probe_gap_min_s"] = seconds(min(gaps))
        fine = f"{counted(len(probes), 'probe')} while open, each {self.open_s:g} s after the last failure"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not opened),
            summary=findings[0].message if findings else fine if opened else "no circuit was seen to open",
            measures=measures,
            findings=findings,
        )

    def _early(self, one: Opening) -> list[Finding]:
        found: list[Finding] = []
        for earlier, later in pairwise(one.after):
            gap = later.begin - earlier.end
            if gap < self.open_s - TOLERANCE_S:
                message = (
                    f"a call came at {later.begin:.3f} s, {gap:.2f} s after the end of the failed probe before "
                    f"it: the circuit was to stay open for {self.open_s:g} s"
                )
                story = (
                    f"{one.opened or 0.0:8.3f} the circuit opens",
                    *(
                        f"{call.begin:8.3f} call {call.key}, over at {call.end:.3f}"
                        for call in one.after[:20]
                    ),
                )
                found.append(Finding(anomaly="breaker_holds", message=message, story=story))
        return found
