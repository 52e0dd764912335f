"""How to break a system and how to heal it: one fault per file."""

from __future__ import annotations

from capsize.core.protocols import Fault
from capsize.faults.dependency import Dependency
from capsize.faults.kill import Kill
from capsize.faults.pause import Pause
from capsize.faults.restart import Restart
from capsize.faults.scale import Scale
from capsize.faults.stop import Stop
from capsize.faults.terminate import Terminate
from capsize.faults.terminate_connections import TerminateConnections

FAULTS: dict[str, type[Fault]] = {
    "dependency": Dependency,
    "kill": Kill,
    "pause": Pause,
    "restart": Restart,
    "scale": Scale,
    "stop": Stop,
    "terminate": Terminate,
    "terminate_connections": TerminateConnections,
}
"""The known faults by name."""

__all__ = [
    "FAULTS",
    "Dependency",
    "Kill",
    "Pause",
    "Restart",
    "Scale",
    "Stop",
    "Terminate",
    "TerminateConnections",
]
