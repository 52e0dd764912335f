"""breaker_recovers: the circuit closes soon after the outside service is well again."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.circuits import Spell, callers, openings, recovered, spells
from capsize.checkers.figures import counted, quantile, seconds, verdict_of
from capsize.checkers.fleet import horizon
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class BreakerRecovers(msgspec.Struct, frozen=True, kw_only=True):
    """Calls flow again within ``within_s`` of the end of each spell in which the circuit had opened.

    They flow when three in a row succeeded with no pause as long as an open circuit makes, or when no task
    that had been accepted by then waits any more. The shortest time possible is what is left of ``open_s``;
    a probe that still hung when the service came back costs ``timeout_s`` and another ``open_s``.

    A spell that the next one, or the end, followed sooner is not judged. UNKNOWN when none could be.
    """

    name: ClassVar[str] = "breaker_recovers"

    failures: int
    open_s: float
    timeout_s: float
    within_s: float
    client: str = "calls"

    def check(self, history: History) -> Result:
        """Time the end of each spell to the first call that flows."""
        found = openings(
            history, self.client, failures=self.failures, open_s=self.open_s, timeout_s=self.timeout_s
        )
        took: list[float] = []
        stuck: list[Spell] = []
        for one in found:
            if one.opened is None:
                continue
            back = recovered(history, one.spell, self.client, self.open_s, self.timeout_s)
            limit = one.spell.end + self.within_s
            if back is not None and back <= limit:
                took.append(back - one.spell.end)
            elif self._seen_until(history, one.spell) >= limit and self._waiting(history, limit):
                stuck.append(one.spell)
        findings = tuple(self._finding(spell) for spell in stuck)
        summary = f"calls flowed again within {max(took, default=0.0):.2f} s, {counted(len(took), 'time')}"
        measures: dict[str, float] = {"recovered": len(took), "not_recovered": len(stuck)}
        if took:
            measures |= {
                "breaker_recovery_p50_s": seconds(quantile(took, 0.5)),
                "breaker_recovery_max_s": seconds(max(took)),
            }
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not took),
            summary=findings[0].message if findings else summary if took else "no circuit was seen to close",
            measures=measures,
            findings=findings,
        )

    def _seen_until(self, history: History, spell: Spell) -> float:
        following = (other.begin for other in spells(history) if other.begin >= spell.end)
        return min([*following, horizon(history)])

    def _waiting(self, history: History, limit: float) -> bool:
        return any(
            (life.acknowledged or 0.0) <= limit - self.within_s and (life.finished or limit + 1) > limit
            for life in callers(history, self.client)
        )

    def _finding(self, spell: Spell) -> Finding:
        message = (
            f"the outside service was well again at {spell.end:.3f} s ({spell.mode} before), and "
            f"{self.within_s:g} s later calls did not flow although tasks were waiting"
        )
        return Finding(anomaly="breaker_recovers", message=message)
