"""truthful_breaker: what the service says of its circuits is what the calls show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from capsize.checkers.circuits import FAILING, callers, openings, recovered, spells
from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.spans import Span
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

NOT_CLOSED = frozenset({"open", "half_open"})


class TruthfulBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """Every look at the circuits agrees with the outside service's record of the calls.

    From ``margin_s`` after the calls stopped until the outside service is well again, the circuit of the calling
    tasks is called open or half open; before the first bad spell, and from ``margin_s`` after calls flowed again
    until the next one, closed, also while answers are only slow. The circuit of the delay tasks is closed all
    the time. When tasks of an unknown type were accepted, that type's circuit is called open at some look.

    UNKNOWN when no look brought anything, or none fell into the time of an open circuit.
    """

    name: ClassVar[str] = "truthful_breaker"

    failures: int
    open_s: float
    timeout_s: float
    margin_s: float = 0.5
    client: str = "calls"
    unknown: str = "unknown"

    def check(self, history: History) -> Result:
        """Hold each look against the spells."""
        looks = [s for s in history.of(Sample) if s.probe == "breaker" and s.error is None]
        wrong = [*self._wrong(history, looks)]
        compared = sum(_inside(look, span) for look in looks for span in self._open(history))
        findings = tuple(_finding(look, why) for look, why in wrong[:20])
        missing = self._unseen(history, looks)
        if missing is not None:
            findings = (*findings, missing)
        doubt = None
        if not looks:
            doubt = "nobody could look at the service's circuits"
        elif not compared:
            doubt = "no look fell into the time of an open circuit"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=doubt is not None),
            summary=findings[0].message
            if findings
            else doubt or f"{counted(len(looks), 'look')} at the circuits, none of them wrong",
            measures={"looks": len(looks), "while_open": compared, "wrong": len(wrong)},
            findings=findings,
        )

    def _open(self, history: History) -> list[Span]:
        found = openings(
            history, self.client, failures=self.failures, open_s=self.open_s, timeout_s=self.timeout_s
        )
        return [(one.opened + self.margin_s, one.spell.end) for one in found if one.opened is not None]

    def _closed(self, history: History) -> Iterator[Span]:
        bad = [spell for spell in spells(history) if spell.mode in FAILING]
        since: float | None = 0.0
        for spell in bad:
            if since is not None:
                yield since, spell.begin
            back = recovered(history, spell, self.client, self.open_s, self.timeout_s)
            since = None if back is None else back + self.margin_s
        if since is not None:
            yield since, history.end_s

    def _wrong(self, history: History, looks: list[Sample]) -> Iterator[tuple[Sample, str]]:
        must_open, must_close = self._open(history), [*self._closed(history)]
        for look in looks:
            said = look.values.get("call", "closed")
            if said == "closed" and any(_inside(look, span) for span in must_open):
                yield look, "called closed, and nobody was let through"
            elif said in NOT_CLOSED and any(_inside(look, span) for span in must_close):
                yield look, f"called {said}, and nothing had failed"
            if look.values.get("delay", "closed") != "closed":
                yield look, "not closed for delay tasks, which never fail"

    def _unseen(self, history: History, looks: list[Sample]) -> Finding | None:
        asked = [look for look in looks if "unknown" in look.values]
        accepted = [life.acknowledged or 0.0 for life in callers(history, self.unknown)]
        after = [look for look in asked if accepted and look.began > min(accepted) + self.margin_s]
        if not after or any(look.values["unknown"] in NOT_CLOSED for look in after):
            return None
        message = (
            f"{len(accepted)} tasks of an unknown type were accepted, and that type's circuit never opened"
        )
        return Finding(anomaly="truthful_breaker", message=message)


def _inside(look: Sample, span: Span) -> bool:
    return span[0] <= look.began and look.t <= span[1]


def _finding(look: Sample, why: str) -> Finding:
    message = f"at {look.began:.3f} s the circuit was {why}"
    told = ", ".join(f"{kind} {state}" for kind, state in look.values.items())
    return Finding(anomaly="truthful_breaker", message=message, story=(f"{look.t:8.3f} {told}",))
