"""What scenarios are built from: phases, claims and strike times that several of them share."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from capsize.core.experiment import Experiment, Phase, Spec
from capsize.core.levels import Level

LEASE_S = 3.0
"""How long a dead worker keeps its task, in unscaled time."""
LEASE_MIN_S = 0.5
"""No lease is scaled below this: a busy machine would lose it without any fault."""
REDELIVERY_S = 5.0
RECOVERY_TARGET_S = 20.0
RECOVERY_LIMIT_S = 30.0
PROBES = tuple(Spec(name=name) for name in ("ready", "stats", "database", "instrument", "resources"))


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A named way to push a system over: ``plan`` works a level and a seed out into an experiment.

    ``alone`` says that it measures speed (throughput, recovery times, memory), so that other stacks on the same
    machine would spoil its figures: ``--jobs auto`` runs it when nothing else runs. ``figures`` tells, for the
    docs, the level's figures that are the scenario's own, by their headings. One that is not ``standard`` runs
    only when it is named.
    """

    name: str
    purpose: str
    plan: Callable[[Level, int], Experiment]
    alone: bool = False
    standard: bool = True
    figures: Callable[[Level], dict[str, str]] | None = None


def spec(name: str, **args: Any) -> Spec:
    """Return the spec of a part."""
    return Spec(name=name, args=args)


def lease_s(level: Level) -> float:
    """Return the lease that a run at this level gives the workers."""
    return max(LEASE_MIN_S, level.scaled(LEASE_S))


def settings(level: Level) -> dict[str, str]:
    """Return the settings that every scenario gives the system."""
    return {"lease_s": f"{lease_s(level):g}"}


def phases(*, chaos: Phase, drain_s: float = 60.0) -> tuple[Phase, ...]:
    """Return the usual course: the steady state, chaos, the steady state again, and the rest of the work."""
    return (
        Phase(name="steady", limit_s=15.0, until="steady", at_least_s=0.5),
        chaos,
        Phase(name="recovery", limit_s=RECOVERY_LIMIT_S, until="steady", at_least_s=0.25),
        Phase(name="drain", limit_s=drain_s, until="settled"),
    )


def common_claims(level: Level, *, drained: bool = True, database: bool = False) -> tuple[Spec, ...]:
    """Return the claims that hold in every scenario: no anomaly, a run in order, a record to be trusted.

    With ``database`` the database itself must be found whole; that takes the probe ``integrity``.
    """
    return (
        spec("ended"),
        spec("steady"),
        spec("instrument"),
        spec("lost", drained=drained),
        spec("duplicate"),
        spec("overlap"),
        spec("stuck", lease_s=lease_s(level)),
        spec("misreported"),
        spec("intact", database=database),
        spec("resurrected"),
        spec("unaccounted"),
        spec("availability", min=level.api_success_min),
    )


def strike_times(draw: random.Random, level: Level, *, first_s: float, until_s: float) -> list[float]:
    """Return strike times: the first at ``first_s``, the others at the level's intervals, all before ``until_s``."""
    times = [round(first_s, 3)]
    while (following := times[-1] + draw.uniform(*level.interval_s)) < until_s:
        times.append(round(following, 3))
    return times
