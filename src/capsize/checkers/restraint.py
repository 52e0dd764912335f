"""restraint: while the database is away nobody burns the processor asking for it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import fleet
from capsize.checkers.spans import Span, touches
from capsize.checkers.strikes import DATABASES, on, services
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

STARTING_S = 2.0
"""A process that was born so shortly before is still starting up, which takes a core for a moment."""
SETTLED_S = 0.2


class Restraint(msgspec.Struct, frozen=True, kw_only=True):
    """During held strikes on the database no process used more than ``share_max`` of a core on the average.

    Taken from the looks at resources that began and ended within the hold. A service that asks for its database
    again and again without a pause takes the machine from whatever is to recover on it. Processes that were
    just starting or frozen are left out. UNKNOWN when no process could be looked at during a hold, if one is
    ``required``.
    """

    name: ClassVar[str] = "restraint"

    share_max: float = 0.5
    interval_s: float = 1.0
    required: bool = True

    def check(self, history: History) -> Result:
        """Average each instance's share over the looks within the holds."""
        holds = [
            (one.begin + SETTLED_S, one.healing)
            for one in on(history, DATABASES)
            if one.held and one.healing is not None
        ]
        shares: dict[str, list[float]] = {}
        for sample in history.of(Sample):
            share = sample.values.get("cpu_share")
            if (
                sample.probe == "resources"
                and isinstance(share, float)
                and self._fits(history, sample, holds)
            ):
                shares.setdefault(sample.subject, []).append(share)
        means = {name: sum(some) / len(some) for name, some in shares.items()}
        findings = tuple(
            Finding(
                anomaly="restraint",
                message=f"{name} used {mean:.0%} of a core while the database was away; {self.share_max:.0%} is allowed",
            )
            for name, mean in sorted(means.items())
            if mean > self.share_max
        )
        most = max(means.values(), default=0.0)
        looks = sum(len(some) for some in shares.values())
        fine = f"no process used more than {most:.0%} of a core while the database was away"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not looks and self.required),
            summary=findings[0].message
            if findings
            else fine
            if looks
            else f"no process was looked at during {counted(len(holds), 'hold')} of the database",
            measures={"looks": looks, "cpu_share_max": round(most, 4)},
            findings=findings,
        )

    def _fits(self, history: History, sample: Sample, holds: list[Span]) -> bool:
        if services(history).get(sample.subject, "") in DATABASES:
            return False
        since = sample.began - self.interval_s
        if not any(low <= since and sample.t <= high for low, high in holds):
            return False
        instances = fleet(history)
        young = [(one.born, one.born + STARTING_S) for one in instances.incarnations.get(sample.subject, ())]
        frozen = instances.frozen.get(sample.subject, ())
        return not touches((*young, *frozen), since, sample.t)
