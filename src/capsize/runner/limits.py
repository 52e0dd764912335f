"""What ends a run before its time, asked again and again while it lasts."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.core.events import Noted
from capsize.core.guardrail import Guardrails
from capsize.core.protocols import Stage
from capsize.guardian.guardian import Guardian


@dataclass(frozen=True)
class Limits:
    """The guardrails of the experiment, and the guardian without which nothing may be broken."""

    guardrails: Guardrails
    guard: Guardian | None

    def check(self, stage: Stage) -> None:
        """Raise Aborted or GuardianLost when the run must not go on."""
        self.guardrails.raise_reached(stage.clock.now())
        if self.guard is not None:
            self.guard.raise_lost()

    def tell_unseen(self, stage: Stage) -> None:
        """Note the guardrails that could not have stopped anything."""
        for text in self.guardrails.unseen:
            message = f"the guardrail {text!r} was never looked at: nothing in this run records its figure"
            stage.record(Noted(t=stage.clock.now(), level="warning", message=message))
