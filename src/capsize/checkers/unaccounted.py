"""unaccounted: the service's own counts do not add up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from capsize.checkers.derived import derived
from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.lives import DELETES
from capsize.core.events import Op, Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

STATES = ("pending", "running", "completed", "failed", "cancelled")


class Unaccounted(msgspec.Struct, frozen=True, kw_only=True):
    """At every look the counts add up, and no accepted task is missing from them.

    created = pending + running + completed + failed + cancelled; the dead-letter queue holds the failed ones;
    created is no lower than what was accepted before the look was sent less what may have been deleted, and
    no higher than what may have been submitted before its answer came less what had certainly been deleted.
    ``other_creations`` drops the last:
    when other loads or users create tasks too.

    Counts that leave one of the six out are no evidence. UNKNOWN when no look brought all of them.
    """

    name: ClassVar[str] = "unaccounted"

    other_creations: bool = False

    def check(self, history: History) -> Result:
        """Do the sums of every look."""
        samples = [s for s in history.of(Sample) if s.probe == "stats" and _complete(s)]
        findings = [
            Finding(
                anomaly="unaccounted",
                message=f"at {sample.began:.3f}-{sample.t:.3f} s {problem}",
                story=(f"{sample.t:8.3f} counts: {_told(sample)}",),
            )
            for sample in samples
            for problem in self._problems(sample, _submissions(history))
        ]
        if not samples:
            summary = "no look at the counts succeeded"
        elif findings:
            summary = f"the counts were wrong in {counted(len(findings), 'case')} of {len(samples)} looks"
        else:
            summary = f"the counts added up at each of {counted(len(samples), 'look')}"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not samples),
            summary=summary,
            measures={"looks": len(samples), "unaccounted": len(findings)},
            findings=tuple(findings),
        )

    def _problems(self, sample: Sample, made: _Submissions) -> Iterator[str]:
        values = sample.values
        created, total = values["created"], sum(values[state] for state in STATES)
        if created != total:
            yield f"{created} tasks were created and {total} are in some state"
        if values.get("dead_letter", values["failed"]) != values["failed"]:
            yield f"{values['failed']} tasks are failed and {values['dead_letter']} in the dead-letter queue"
        low = bisect_right(made.accepted, sample.began) - bisect_right(made.deletes, sample.t)
        if created < low and not made.purged_before(sample.t):
            yield f"{low} tasks had been accepted and only {created} are counted as created"
        high = bisect_right(made.possible, sample.t) - bisect_right(made.deleted, sample.began)
        if created > high and not self.other_creations:
            yield f"at most {high} tasks can have been submitted and {created} are counted as created"


@dataclass(frozen=True, slots=True)
class _Submissions:
    """Sorted times: of acknowledgements, of first tries that may have had an effect, of deletes and confirmed ones."""

    accepted: list[float]
    possible: list[float]
    deletes: list[float]
    purges: list[float]
    deleted: list[float]

    def purged_before(self, t: float) -> bool:
        """Return whether an unknown number of tasks may have been deleted."""
        return any(sent <= t for sent in self.purges)


@derived
def _submissions(history: History) -> _Submissions:
    accepted: dict[str, float] = {}
    possible: dict[str, float] = {}
    deletes: list[float] = []
    purges: list[float] = []
    deleted: list[float] = []
    for number, op in enumerate(history.of(Op)):
        if op.outcome == "fail":
            continue
        if op.call == "submit":
            if op.outcome == "ok" and op.task is not None:
                accepted.setdefault(op.task, op.t)
            name = op.key or op.task or f"try {number}"
            possible[name] = min(op.sent, possible.get(name, op.sent))
        elif op.call in DELETES:
            (purges if op.call == "purge" else deletes).append(op.sent)
            if op.call == "delete" and op.outcome == "ok":
                deleted.append(op.t)
    return _Submissions(
        sorted(accepted.values()), sorted(possible.values()), sorted(deletes), sorted(purges), sorted(deleted)
    )


def _complete(sample: Sample) -> bool:
    return sample.error is None and all(type(sample.values.get(name)) is int for name in ("created", *STATES))


def _told(sample: Sample) -> str:
    names = ("created", *STATES, "dead_letter")
    return ", ".join(f"{name} {sample.values[name]}" for name in names if name in sample.values)
