"""Deadlines: from when they count, and who met them."""

from __future__ import annotations

from typing import Literal

from capsize.checkers.lives import Life
from capsize.core.history import History

Origin = Literal["chaos", "acknowledged"]
"""From when a deadline counts: the begin of the chaos, for all tasks, or each task's acknowledgement."""


def due(history: History, life: Life, deadline_s: float | None, origin: Origin) -> float:
    """Return by when a task must be finished; without a chaos phase its acknowledgement is the origin."""
    if deadline_s is None:
        return float("inf")
    chaos = history.phase("chaos")
    if origin == "chaos" and chaos is not None:
        return chaos[0] + deadline_s
    return (life.acknowledged or 0.0) + deadline_s
