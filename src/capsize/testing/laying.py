"""The plan behind a stack that a test breaks by hand: what is started, what is laid for which faults, what is claimed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment, Link, Phase, PlannedStrike, Spec, Target
from capsize.core.levels import level
from capsize.core.platform import Service
from capsize.core.protocols import Evident, Prepared
from capsize.core.registry import unknown
from capsize.core.system import System
from capsize.faults import FAULTS
from capsize.scenario import common_claims, settings
from capsize.scenarios.building import PROBES
from capsize.scenarios.remote import for_system

LIMIT_S = 24 * 3600.0
UNJUDGED = frozenset({"steady", "availability"})
"""Claims of a run through its phases: by hand there are none."""


def laid_out(system: System, *, workers: int = 2, seed: int = 1, faults: Iterable[str] = ()) -> Experiment:
    """Return the experiment of a stack with one API and so many workers.

    ``faults`` are those that need something laid at the start: connections through a proxy, a prepared disk, clock or
    names. It is laid, and the platform is asked whether it can have them. Raises UsageError for an unknown one.
    """
    figures = level(1, workers=workers)
    services = system.services({"api": 1, "worker": workers}, {})
    strikes = tuple(_wanted(name, services) for name in faults)
    return for_system(
        Experiment(
            scenario="by-hand",
            purpose="What a test broke by hand",
            level=figures,
            seed=seed,
            replicas={"api": 1, "worker": workers},
            settings=settings(figures),
            phases=(Phase(name="chaos", limit_s=LIMIT_S),),
            strikes=tuple(strike for several in strikes for strike in several),
            probes=PROBES,
            checkers=tuple(one for one in common_claims(figures) if one.name not in UNJUDGED),
            links=tuple(dict.fromkeys(link for name in faults for link in _links(name, services))),
        ),
        system,
    )


def _wanted(name: str, services: Iterable[Service]) -> list[PlannedStrike]:
    """Return strikes that are never carried out: by them the runner knows what to lay, and asks whether it can be had."""
    if name not in FAULTS:
        raise UsageError(unknown("fault", name, FAULTS))
    kind = FAULTS[name]
    roles = {"api", "worker", "database"} if getattr(kind, "prepares", "") == "disk" else {"api", "worker"}
    targets = [one.name for one in services if one.role in roles] if follows(kind, Prepared) else ["worker"]
    return [
        PlannedStrike(
            id=f"laid-{name}-{target}", at_s=LIMIT_S, fault=Spec(name=name), target=Target(service=target)
        )
        for target in targets
    ]


def _links(name: str, services: Iterable[Service]) -> list[Link]:
    if not follows(FAULTS[name], Evident):
        return []
    (database,) = (one.name for one in services if one.role == "database")
    return [Link(source=one.name, target=database) for one in services if one.role in ("api", "worker")]


def follows(kind: type, protocol: type) -> bool:
    """Return whether instances of a fault's class follow a protocol, without making one."""
    wanted = {"prepares"} if protocol is Prepared else {"effect", "peer"}
    fields = {field.name for field in msgspec.structs.fields(kind)}
    return all(hasattr(kind, name) or name in fields for name in wanted)
