"""One look at the system while it runs, each in a file of its own.

There is no ``health`` probe beside ``ready``: the readiness answer is the statement about the database that
is judged, every 20 ms, and its Op carries status, times and the beginning of a refusal's body.
"""

from __future__ import annotations

from capsize.core.protocols import Probe
from capsize.probes.breaker import BreakerProbe
from capsize.probes.database import DatabaseProbe
from capsize.probes.database_load import DatabaseLoadProbe
from capsize.probes.instrument import InstrumentProbe
from capsize.probes.integrity import IntegrityProbe
from capsize.probes.ready import ReadyProbe
from capsize.probes.resources import ResourcesProbe
from capsize.probes.stats import StatsProbe

PROBES: dict[str, type[Probe]] = {
    BreakerProbe.name: BreakerProbe,
    DatabaseProbe.name: DatabaseProbe,
    DatabaseLoadProbe.name: DatabaseLoadProbe,
    InstrumentProbe.name: InstrumentProbe,
    IntegrityProbe.name: IntegrityProbe,
    ReadyProbe.name: ReadyProbe,
    ResourcesProbe.name: ResourcesProbe,
    StatsProbe.name: StatsProbe,
}
"""Every probe by the name that an experiment calls it."""
