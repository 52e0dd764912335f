"""The running system as the loads, probes and faults see it."""

from __future__ import annotations

from dataclasses import dataclass

from capsize.core.clock import Clock
from capsize.core.platform import Dependable, Platform
from capsize.core.protocols import Progress, Record
from capsize.core.system import System


@dataclass(frozen=True)
class RunningStage:
    """What one run offers to its parts; see :class:`capsize.core.protocols.Stage`."""

    clock: Clock
    record: Record
    system: System
    platform: Platform
    progress: Progress
    seed: int
    auth: tuple[tuple[str, str], ...]
    dependency: Dependable | None = None
