"""crashes: no process ended that nobody had harmed."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capsize.checkers.figures import counted, verdict_of
from capsize.checkers.fleet import fleet, horizon
from capsize.checkers.spans import touches
from capsize.core.events import InstanceChanged
from capsize.core.history import History
from capsize.core.verdict import Finding, Result


class Crashes(msgspec.Struct, frozen=True, kw_only=True):
    """No instance exited of its own accord before the last phase was over, and no supervisor gave up.

    An exit is explained by a strike on that very instance that began up to ``margin_s`` before it, or was still
    held. UNKNOWN when the platform spoke of no instance: then nobody watched the processes.
    """

    name: ClassVar[str] = "crashes"

    margin_s: float = 2.0

    def check(self, history: History) -> Result:
        """Look for exits that no strike explains."""
        end = horizon(history)
        changes = [event for event in history.of(InstanceChanged) if event.t <= end]
        found = [event for event in changes if self._unexplained(history, event)]
        findings = tuple(
            Finding(
                anomaly=self.name,
                message=f"{event.instance} {_how(event)} at {event.t:.3f} s, and nobody had harmed it",
            )
            for event in found
        )
        instances = len({event.instance for event in changes})
        summary = f"none of {counted(instances, 'instance')} ended without being harmed"
        if findings:
            summary = findings[0].message
        elif not instances:
            summary = "the platform spoke of no instance"
        return Result(
            checker=self.name,
            verdict=verdict_of(findings, unknown=not instances),
            summary=summary,
            measures={"instances": instances, "crashes": len(found)},
            findings=findings,
        )

    def _unexplained(self, history: History, event: InstanceChanged) -> bool:
        if event.state not in ("exited", "gave_up"):
            return False
        instances = fleet(history)
        spans = [
            (low, high + self.margin_s)
            for strike in instances.struck.get(event.instance, ())
            for low, high in [strike.span(instances.end_s)]
        ]
        return not touches(spans, event.t, event.t)


def _how(event: InstanceChanged) -> str:
    if event.state == "gave_up":
        return "was given up by its supervisor"
    if event.code is None:
        return "exited"
    return f"was ended by signal {-event.code}" if event.code < 0 else f"exited with code {event.code}"
