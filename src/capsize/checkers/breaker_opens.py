"""breaker_opens: enough failures in a row open the circuit."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from capsize.checkers.circuits import Opening, openings
from capsize.checkers.figures import counted, seconds, verdict_of
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class BreakerOpens(msgspec.Struct, frozen=True, kw_only=True):
    """When the outside service fails, its calls stop after ``failures`` of them, by the outside service's own record.

    ``workers`` calls can be under way at once: those that were when the circuit opened still arrive, and those
    that were when the failing began may succeed and start the count anew. So up to ``failures`` + 2 x
    (``workers`` - 1) calls may fail before the silence; more are a finding. Opening sooner is not one.

    A spell that was over before so many calls could fail is not judged. UNKNOWN when none could be judged.
    """

    name: ClassVar[str] = "breaker_opens"

    failures: int
    open_s: float
    workers: int
    timeout_s: float
    client: str = "calls"

    def check(self, history: History) -> Result:
        """Count the failed calls of each spell up to the silence."""
        found = openings(
            history, self.client, failures=self.failures, open_s=self.open_s, timeout_s=self.timeout_s
        )
        bad = [one for one in found if len(one.before) > self._most]
        opened = [one for one in found if one.opened is not None and one not in bad]
        findings = tuple(self._finding(one) for one in bad)
        summary = (
            f"no calls after {self.failures} failures in a row, in {counted(len(opened), 'bad spell')}"
            if opened
            else f"{counted(len(found), 'bad spell')} of the outside service, none long enough to judge"
        )
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not opened),
            summary=findings[0].message if findings else summary,
            measures=self._measures(found, opened),
            findings=findings,
        )

    @property
    def _most(self) -> int:
        return self.failures + 2 * (self.workers - 1)

    def _measures(self, found: tuple[Opening, ...], opened: list[Opening]) -> dict[str, Any]:
        measures: dict[str, Any] = {"spells": len(found), "opened": len(opened)}
        if opened:
            measures["failed_calls_max"] = max(len(one.before) for one in opened)
            measures["opened_after_max_s"] = seconds(
                max((one.opened or 0.0) - one.spell.begin for one in opened)
            )
        return measures

    def _finding(self, one: Opening) -> Finding:
        message = (
            f"{len(one.before)} calls reached the outside service while it was bad ({one.spell.mode}, from "
            f"{one.spell.begin:.3f} s); {self.failures} failures in a row should have opened the circuit"
        )
        story = tuple(f"{call.begin:8.3f} call {call.key}" for call in one.before[:20])
        return Finding(anomaly="breaker_opens", message=message, story=story)
