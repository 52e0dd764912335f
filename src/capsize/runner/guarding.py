"""The guardian of a run: what it played while the run lasted goes into the run's own record."""

from __future__ import annotations

from capsize.core.clock import Clock
from capsize.core.events import Noted, Undone
from capsize.core.protocols import Record
from capsize.guardian.guardian import Guardian
from capsize.guardian.log import Healed
from capsize.rundir import RunDirectory


def guardian(directory: RunDirectory, record: Record, clock: Clock) -> Guardian:
    """Return the guardian of a run, not started yet."""

    def tell(healed: Healed) -> None:
        record(
            Undone(
                t=clock.now(),
                why="overdue" if healed.why == "overdue" else "left",
                strike=healed.strike,
                steps=healed.steps,
                left=healed.left,
            )
        )

    def warn(message: str) -> None:
        record(Noted(t=clock.now(), level="warning", message=message))

    return Guardian(directory.undo_path, tell=tell, warn=warn)
