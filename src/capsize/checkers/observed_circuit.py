"""observed_circuit: tasks that can only fail open their own type's circuit and no other."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.circuits import callers
from capsize.checkers.figures import counted, verdict_of
from capsize.core.events import Sample
from capsize.core.history import History
from capsize.core.verdict import Finding, Result

NOT_CLOSED = frozenset({"open", "half_open"})


class ObservedCircuit(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit of the unknown task type is open at some look after ``failures`` of its tasks were accepted,
    and the circuits of other types are closed at every look.

    For a service whose outside calls capsize can't make fail. UNKNOWN without ``failures`` accepted tasks of the
    load ``unknown``, without a look ``within_s`` later, and when the service has no such type.
    """

    name: ClassVar[str] = "observed_circuit"

    failures: int
    unknown: str = "unknown"
    within_s: float = 3.0

    def check(self, history: History) -> Result:
        """Hold the looks at the circuits against what was submitted."""
        looks = [s for s in history.of(Sample) if s.probe == "breaker" and s.error is None]
        accepted = callers(history, self.unknown)
        times = sorted(life.acknowledged for life in accepted if life.acknowledged is not None)
        since = times[self.failures - 1] if len(times) >= self.failures else None
        late = [s for s in looks if since is not None and s.t >= since and "unknown" in s.values]
        opened = [s for s in late if s.values["unknown"] in NOT_CLOSED]
        spread = [
            (look, kind)
            for look in looks
            for kind, state in look.values.items()
            if kind != "unknown" and state != "closed"
        ]
        findings = [_spread(look, kind) for look, kind in spread[:20]]
        waited = bool(late) and since is not None and late[-1].t >= since + self.within_s
        if not opened and waited:
            message = f"{counted(len(times), 'task')} of an unknown type were accepted, and its circuit stayed closed"
            findings.append(Finding(anomaly=self.name, message=message))
        unproved = not opened and not waited
        summary = f"the unknown type's circuit was open at {counted(len(opened), 'look')}, all others closed"
        if findings:
            summary = findings[0].message
        elif unproved:
            summary = "too few tasks of an unknown type, or looks at the circuits, to tell"
        return Result(
            checker=self.name,
            verdict=verdict_of(tuple(findings), unknown=unproved),
            summary=summary,
            measures={"looks": len(looks), "while_open": len(opened), "unknown_accepted": len(times)},
            findings=tuple(findings),
        )


def _spread(look: Sample, kind: str) -> Finding:
    message = (
        f"at {look.t:.3f} s the circuit of {kind} tasks was {look.values[kind]}, and none of these failed"
    )
    return Finding(anomaly="observed_circuit", message=message)
