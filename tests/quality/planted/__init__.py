"""Planted defects: the mistakes that task queues really make, as patches on the starter at run time.

None of them is in the product. Each is a function that changes the starter's modules before the process
starts to work; ``defective.py`` applies one and then runs the starter as usual.
"""

from __future__ import annotations

from quality.planted import (
    ambiguity,
    circuits,
    compound,
    contents,
    cycles,
    delivery,
    floods,
    outages,
    partitions,
    scaling,
)
from quality.planted.model import Defect

DEFECTS: dict[str, Defect] = {
    **delivery.DEFECTS,
    **contents.DEFECTS,
    **outages.DEFECTS,
    **floods.DEFECTS,
    **scaling.DEFECTS,
    **cycles.DEFECTS,
    **circuits.DEFECTS,
    **compound.DEFECTS,
    **partitions.DEFECTS,
    **ambiguity.DEFECTS,
}
"""Every defect by name."""
