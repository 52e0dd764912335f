"""landed: the faults did what they were meant to do."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted
from capsize.checkers.fleet import workers
from capsize.checkers.lives import lives
from capsize.checkers.strikes import Strike, strikes
from capsize.core.history import History
from capsize.core.verdict import Finding, Result, Verdict


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """At least ``min`` strikes landed, none failed, and all that was broken is healed.

    With ``live``, at least ``min_live`` of those that landed on workers met one that was inside a task, by the
    witness, when they began: a strike on an idle worker proves nothing about work in flight. A strike that
    failed, too few that landed and too few that met live work are UNKNOWN; a heal that failed is FAIL and
    names what is left. Strikes that were not carried out since their phase was over are only counted.
    """

    name: ClassVar[str] = "landed"

    min: int = 1
    live: bool = False
    min_live: int = 1

    def check(self, history: History) -> Result:
        """Fold the strikes' stages and look up what their victims were doing."""
        all_strikes = strikes(history)
        landed = [strike for strike in all_strikes if strike.landed is not None]
        live = [strike for strike in landed if met_work(history, strike)]
        failed = [strike for strike in all_strikes if "failed" in strike.stages]
        left = [strike for strike in all_strikes if "heal_failed" in strike.stages]
        findings = tuple(
            Finding(
                anomaly="landed",
                message=f"strike {_named(strike)} could not be healed: {_said(strike, 'heal_failed')}",
            )
            for strike in left
        )
        doubt = self._doubt(all_strikes, landed, live, failed)
        verdict = Verdict.FAIL if left else Verdict.UNKNOWN if doubt else Verdict.PASS
        fine = f"{counted(len(landed), 'strike')} landed, {len(live)} of them on live work"
        return Result(
            checker=self.name,
            verdict=verdict,
            summary=findings[0].message if findings else doubt or fine,
            measures={
                "strikes": len(all_strikes),
                "landed": len(landed),
                "landed_live": len(live),
                "missed": sum("missed" in strike.stages for strike in all_strikes),
                "failed": len(failed),
                "not_carried_out": sum("not_carried_out" in strike.stages for strike in all_strikes),
            },
            findings=findings,
        )

    def _doubt(
        self, everything: tuple[Strike, ...], landed: list[Strike], live: list[Strike], failed: list[Strike]
    ) -> str | None:
        """Return why the run proves nothing, None when it does."""
        if failed:
            return f"strike {_named(failed[0])} could not be carried out: {_said(failed[0], 'failed')}"
        if len(landed) < self.min:
            # What landed tells by which means; the reason is with those that did not.
            astray = (strike for strike in everything if "landed" not in strike.stages)
            why = next((detail for strike in astray for detail in strike.details.values() if detail), "")
            hint = f" ({why})" if why else ""
            return f"{len(landed)} of {counted(len(everything), 'strike')} landed, {self.min} needed{hint}"
        if self.live and len(live) < self.min_live:
            return (
                f"{len(live)} of {counted(len(landed), 'strike')} that landed met a worker inside a task, "
                f"{self.min_live} needed: what the others broke held no work"
            )
        return None


def met_work(history: History, strike: Strike) -> bool:
    """Return whether one of the victims was a worker inside a task when the strike began."""
    victims = workers(history).intersection(strike.victims)
    runs = lives(history).by_worker
    return any(run.inside(strike.begin) for victim in victims for run in runs.get(victim, ()))


def _named(strike: Strike) -> str:
    return f"{strike.id} ({strike.fault} {', '.join(strike.victims)})" if strike.victims else strike.id


def _said(strike: Strike, stage: str) -> str:
    return strike.details.get(stage) or "no reason given"
