"""The experiment: everything that will be done to a system, as frozen data.

The same scenario, level and seed give the same experiment, byte for byte; ``experiment.json`` is all that a
replay needs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from capsize.core.hypothesis import Hypothesis
from capsize.core.levels import Level

Until = Literal["elapsed", "settled", "steady"]
"""What ends a phase before its limit: nothing, all accepted tasks being over, or the steady state."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A part to be made from a registry: its name there and its arguments."""

    name: str
    args: dict[str, Any] = msgspec.field(default_factory=dict)


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the run. ``limit_s`` ends it in any case; ``until`` may end it sooner.

    ``at_least_s`` keeps it going even when its condition holds already. Strikes belong to the phase named
    ``chaos``; when it ends before a strike is due, that strike is not carried out.
    """

    name: Literal["steady", "chaos", "recovery", "drain"]
    limit_s: float
    until: Until = "elapsed"
    at_least_s: float = 0.0


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A load and the phases during which it runs: begun with the first of them, ended with the last."""

    load: Spec
    phases: tuple[str, ...]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to strike: instances of one service, chosen when the strike is due.

    ``pick`` in [0, 1) comes from the seed and chooses among the candidates in order of their names.
    ``busy`` narrows the candidates to instances that are inside a task, when there are any, and lets the
    strike wait up to ``wait_s`` for one. ``count`` victims are taken; 0 means all.
    """

    service: str
    pick: float = 0.0
    count: int = 1
    busy: bool = False
    wait_s: float = 0.0


class PlannedStrike(msgspec.Struct, frozen=True, kw_only=True):
    """One strike: when, after the chaos phase began; what; whom; and how long it is held before healing.

    ``for_s`` None means that nothing is held: the fault is over when it is done (a kill).
    """

    id: str
    at_s: float
    fault: Spec
    target: Target
    for_s: float | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A connection between two parts that is to go through a proxy, so that faults can disturb it.

    ``source`` is the service that connects, or ``client`` for capsize's own calls; ``target`` the service that it
    connects to, or ``witness``. Each instance of the source has a connection of its own, which can be disturbed alone.
    """

    source: str
    target: str


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario at a level with a seed, worked out in full.

    ``hypothesis`` is what is normal: it must hold before anything is harmed, and again after. ``abort_when`` are
    conditions that end the chaos at once (:mod:`capsize.core.guardrail`); ``max_harm`` is how many instances may
    be in the hands of strikes at once (None: as many as the plan says).
    """

    scenario: str
    purpose: str
    level: Level
    seed: int
    replicas: dict[str, int]
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    phases: tuple[Phase, ...]
    loads: tuple[LoadPlan, ...] = ()
    strikes: tuple[PlannedStrike, ...] = ()
    probes: tuple[Spec, ...] = ()
    checkers: tuple[Spec, ...] = ()
    hypothesis: Hypothesis = Hypothesis()
    abort_when: tuple[str, ...] = ()
    max_harm: Annotated[int, msgspec.Meta(ge=1)] | None = None
    links: tuple[Link, ...] = ()

    def phase(self, name: str) -> Phase | None:
        """Return the phase of that name."""
        return next((phase for phase in self.phases if phase.name == name), None)
