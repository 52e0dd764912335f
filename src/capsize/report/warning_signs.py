"""The warning signs of the guide: figures beyond a limit, whatever a level asks for; data."""

from __future__ import annotations

from typing import Literal

import msgspec


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A warning sign: a figure beyond a limit, whatever the level asks for.

    The figure is ``measure`` of ``checker``, divided by its measure ``per`` if there is one.
    """

    checker: str
    measure: str
    text: str
    urgency: Literal["critical", "improve"]
    above: float | None = None
    below: float | None = None
    per: str | None = None


SIGNS = (
    Sign(
        checker="recovery",
        measure="recovery_max_s",
        above=30.0,
        urgency="critical",
        text="recovery over 30 s",
    ),
    Sign(
        checker="recovery", measure="recovery_max_s", above=20.0, urgency="improve", text="recovery over 20 s"
    ),
    Sign(
        checker="observed_recovery",
        measure="recovery_max_s",
        above=30.0,
        urgency="critical",
        text="recovery over 30 s",
    ),
    Sign(
        checker="observed_recovery",
        measure="recovery_max_s",
        above=20.0,
        urgency="improve",
        text="recovery over 20 s",
    ),
    Sign(
        checker="availability",
        measure="api_success_ratio",
        below=0.70,
        urgency="critical",
        text="API success under 70%",
    ),
    Sign(
        checker="availability",
        measure="api_success_ratio",
        below=0.85,
        urgency="improve",
        text="API success under 85%",
    ),
    Sign(
        checker="availability",
        measure="latency_p99_s",
        above=1.0,
        urgency="improve",
        text="one call in a hundred takes over 1 s",
    ),
    Sign(
        checker="stuck",
        measure="stuck",
        above=0,
        urgency="critical",
        text="tasks stuck while being processed",
    ),
    Sign(
        checker="stuck",
        measure="redelivery_max_s",
        above=30.0,
        urgency="improve",
        text="over 30 s until a dead worker's task ran again",
    ),
    Sign(
        checker="breaker_recovers",
        measure="not_recovered",
        above=0,
        urgency="critical",
        text="a circuit that does not close again",
    ),
    Sign(
        checker="lost",
        measure="dead_lettered",
        per="accepted",
        above=0.10,
        urgency="improve",
        text="over 10% of the tasks failed for good",
    ),
)
"""The warning signs, the more urgent of the same figure first. Memory growth is a claim of its own."""
