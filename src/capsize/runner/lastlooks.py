"""What is looked at once, when everything is healed, no load is left, and the system still stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capsize.core.content import content, parsed
from capsize.core.errors import CapsizeError
from capsize.core.events import Noted, Stored
from capsize.core.platform import Queryable
from capsize.core.protocols import Concluding, Probe, Stage
from capsize.core.system import Tabular

AT_ONCE = 500
"""So many rows are asked for in one statement."""


async def last_looks(stage: Stage, probes: Sequence[Probe]) -> None:
    """Read the row of every accepted task beside the service, and let the probes conclude that want to.

    What can't be looked at is noted, and leaves its claim without evidence.
    """
    await _rows(stage)
    for probe in probes:
        if isinstance(probe, Concluding):
            try:
                await probe.conclude(stage)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                _note(stage, f"the probe {probe.name!r} broke at its last look: {why}")


async def _rows(stage: Stage) -> None:
    system, platform = stage.system, stage.platform
    if not isinstance(system, Tabular) or not isinstance(platform, Queryable):
        return
    tasks = sorted(stage.progress.acknowledged())
    try:
        for first in range(0, len(tasks), AT_ONCE):
            some = tasks[first : first + AT_ONCE]
            found = {row["task"]: _content(row) for row in await platform.query(system.rows(), some)}
            for task in some:
                stage.record(Stored(t=stage.clock.now(), task=task, content=found.get(task)))
    except (CapsizeError, ValueError) as error:
        _note(stage, f"the tasks' rows were not read: {error}")


def _content(row: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a row; the database's null is JSON's."""
    return content({name: parsed(value or "null") for name, value in row.items() if name != "task"})


def _note(stage: Stage, message: str) -> None:
    stage.record(Noted(t=stage.clock.now(), level="error", message=message))
