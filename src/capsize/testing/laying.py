"""The plan behind a stack that a test breaks by hand: what is started, what is laid for which faults, what is claimed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment, Link, Phase, PlannedStrike, Spec, Target
from capsize.core.levels import level
from capsize.core.platform import Service
from capsize.core.protocols import Evident, Fault, Prepared
from capsize.core.registry import make
from capsize.core.system import System
from capsize.faults import FAULTS
from capsize.scenario import common_claims, settings
from capsize.scenarios.building import PROBES
from capsize.scenarios.remote import for_system

LIMIT_S = 24 * 3600.0
UNJUDGED = frozenset({"steady", "availability"})
"""Claims of a run through its phases: by hand there are none."""


def laid_out(
    system: System, *, workers: int = 2, seed: int = 1, faults: Iterable[Fault | str] = ()
) -> Experiment:
    """Return the experiment of a stack with one API and so many workers.

    ``faults`` are those that need something laid at the start: connections through a proxy, a prepared disk, clock or
    names. It is laid, and the platform is asked whether it can have them. Raises UsageError for an unknown one, and for
    the name of one that can't be made without fields.
    """
    figures = level(1, workers=workers)
    services = system.services({"api": 1, "worker": workers}, {})
    wanted = [_made(fault) for fault in faults]
    return for_system(
        Experiment(
            scenario="by-hand",
            purpose="What a test broke by hand",
            level=figures,
            seed=seed,
            replicas={"api": 1, "worker": workers},
            settings=settings(figures),
            phases=(Phase(name="chaos", limit_s=LIMIT_S),),
            strikes=tuple(strike for fault in wanted for strike in _strikes(fault, services)),
            probes=PROBES,
            checkers=tuple(one for one in common_claims(figures) if one.name not in UNJUDGED),
            links=tuple(dict.fromkeys(link for fault in wanted for link in _links(fault, services))),
        ),
        system,
    )


def spec_of(fault: Fault) -> Spec:
    """Return a fault as plain data, as a plan has it."""
    return Spec(name=fault.name, args=msgspec.to_builtins(fault))


def _made(fault: Fault | str) -> Fault:
    if not isinstance(fault, str):
        return fault
    try:
        return make(FAULTS, Spec(name=fault), "fault")
    except UsageError as error:
        if fault not in FAULTS:
            raise
        kind = FAULTS[fault].__name__
        raise UsageError(f"{error}. Give the fault itself, as in capsize.faults.{kind}(...)") from error


def _strikes(fault: Fault, services: Iterable[Service]) -> list[PlannedStrike]:
    """Return strikes that are never carried out: by them the runner knows what to lay, and asks whether it can be had."""
    roles = {"api", "worker"}
    if isinstance(fault, Prepared) and fault.prepares == "disk":
        roles |= {"database"}
    targets = [
        one.name for one in services if one.role in (roles if isinstance(fault, Prepared) else {"worker"})
    ]
    return [
        PlannedStrike(
            id=f"laid-{fault.name}-{target}",
            at_s=LIMIT_S,
            fault=spec_of(fault),
            target=Target(service=target),
        )
        for target in targets
    ]


def _links(fault: Fault, services: Iterable[Service]) -> list[Link]:
    if not isinstance(fault, Evident):
        return []
    return [Link(source=one.name, target=fault.peer) for one in services if one.role in ("api", "worker")]
