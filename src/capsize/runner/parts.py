"""The parts that an experiment names, made and checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from capsize.checkers import CHECKERS
from capsize.core.errors import NotSupported, UsageError
from capsize.core.experiment import Experiment, Link, LoadPlan, PlannedStrike
from capsize.core.platform import Dependable, Platform, Preparation, Service
from capsize.core.protocols import Demanding, Evident, Fault, Load, Prepared, Probe
from capsize.core.registry import make
from capsize.core.system import System
from capsize.faults import FAULTS, why_not
from capsize.load import LOADS
from capsize.probes import PROBES


@dataclass(frozen=True)
class Parts:
    """The loads with their plans, the probes, and the faults by the id of their strike."""

    loads: tuple[tuple[LoadPlan, Load], ...]
    probes: tuple[Probe, ...]
    faults: dict[str, Fault]

    @classmethod
    def of(cls, experiment: Experiment) -> Parts:
        """Make every part. Raises UsageError for an unknown name or unfit arguments.

        The checkers are made as well, and dropped: a claim that can't be judged is better known now.
        """
        for spec in experiment.checkers:
            make(CHECKERS, spec, "checker")
        faults = {strike.id: make(FAULTS, strike.fault, "fault") for strike in experiment.strikes}
        _see_links(experiment, faults)
        return cls(
            loads=tuple((plan, make(LOADS, plan.load, "load")) for plan in experiment.loads),
            probes=tuple(make(PROBES, spec, "probe") for spec in experiment.probes),
            faults=faults,
        )

    def require(self, platform: Platform, system: System, dependency: Dependable | None = None) -> None:
        """Raise NotSupported when a fault or a load needs an ability that platform or system lack."""
        for fault in self.faults.values():
            on = against(fault, platform, dependency)
            reason = why_not(fault, on)
            if reason is not None:
                raise NotSupported(f"the fault {fault.name!r} {reason}")
        for _, load in self.loads:
            lacking = load.lacks(system) if isinstance(load, Demanding) else None
            if lacking is not None:
                raise NotSupported(
                    f"the load {load.name!r} can't be put on the system {system.name!r}: it has no {lacking}"
                )

    @property
    def by_name(self) -> bool:
        """Return whether the parts of the system are to know each other by host names, so that these can fail."""
        return any(isinstance(one, Prepared) and one.prepares == "names" for one in self.faults.values())

    def prepared(self, strikes: Sequence[PlannedStrike], services: Sequence[Service]) -> tuple[Service, ...]:
        """Return the services, each started ready for the faults that are planned against it.

        Names are a matter of all: whoever is called by a name must be known by it to everybody.
        """
        self._see_targets(strikes, services)
        everybody: set[Preparation] = {"names"} if self.by_name else set()
        wanted = {one.name: set(everybody) for one in services if one.role not in ("database", "job")}
        for strike in strikes:
            fault = self.faults[strike.id]
            if isinstance(fault, Prepared):
                wanted.setdefault(strike.target.service, set()).add(fault.prepares)
        return tuple(
            msgspec.structs.replace(one, prepared=tuple(sorted({*one.prepared, *wanted[one.name]})))
            if wanted.get(one.name)
            else one
            for one in services
        )

    def _see_targets(self, strikes: Sequence[PlannedStrike], services: Sequence[Service]) -> None:
        """Raise NotSupported for a strike on a service that the system does not have."""
        known = {service.name for service in services}
        for strike in strikes:
            if Dependable not in self.faults[strike.id].requires and strike.target.service not in known:
                raise NotSupported(
                    f"the system has no service {strike.target.service!r} to strike; it has {', '.join(sorted(known))}"
                )


def _see_links(experiment: Experiment, faults: Mapping[str, Fault]) -> None:
    """Raise UsageError for a fault on connections that the experiment lays no proxy into."""
    for strike in experiment.strikes:
        fault = faults[strike.id]
        if not isinstance(fault, Evident):
            continue
        ends = strike.target.service, fault.peer
        if not {Link(source=ends[0], target=ends[1]), Link(source=ends[1], target=ends[0])}.intersection(
            experiment.links
        ):
            raise UsageError(
                f"strike {strike.id} ({fault.name}) is on the connections between {ends[0]} and {ends[1]}, and the "
                f"experiment does not name that link; add Link(source={ends[0]!r}, target={ends[1]!r}) to its links"
            )


def against(fault: Fault, platform: Platform, dependency: Dependable | None) -> Platform | Dependable:
    """Return what a fault is carried out on: the outside service that capsize plays, or the platform."""
    return dependency if dependency is not None and Dependable in fault.requires else platform
