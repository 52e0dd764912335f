"""Defects that show only when something is restarted again and again."""

from __future__ import annotations

import time

from quality.planted.model import Hunt, count_starts, defects

CYCLES = Hunt("recovery", level=1, overrides={"time_scale": 0.6})
STEP_S = 0.5


def _slower_each_time(role: str) -> None:
    time.sleep(STEP_S * max(0, count_starts(role) - 1))


def api_starts_slower_each_time() -> None:
    """The API reads through all that it ever wrote before it is ready, and that grows with each start."""
    _slower_each_time("server")


def worker_starts_slower_each_time() -> None:
    """Every start of a worker leaves something behind that the next one has to clear away."""
    _slower_each_time("worker")


DEFECTS = defects(
    (api_starts_slower_each_time, CYCLES, {"recovery_trend"}),
    (worker_starts_slower_each_time, CYCLES, {"recovery_trend"}),
)
