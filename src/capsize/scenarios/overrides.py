"""Figures of a scenario's own table, and the flags that replace them all the same."""

from __future__ import annotations

from typing import TypeVar

from capsize.core.levels import LEVELS, Level

Number = TypeVar("Number", int, float)

DURATIONS = frozenset({"task_delay_s", "deadline_s"})


def chosen(level: Level, field: str, own: Number) -> Number:
    """Return a scenario's own figure, or the level's where it is not what the level table says: then it was asked for.

    ``own`` is in the run's time already, as the level's durations are.
    """
    asked = getattr(level, field)
    usual = getattr(LEVELS[level.number], field)
    if field in DURATIONS:
        usual *= level.time_scale
    return own if asked == usual else asked
