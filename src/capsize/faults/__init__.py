"""How to break a system and how to heal it: one fault per file."""

from __future__ import annotations

from capsize.core.protocols import Fault
from capsize.faults.bandwidth import Bandwidth
from capsize.faults.clock_skew import ClockSkew
from capsize.faults.cpu import Cpu
from capsize.faults.crash_in_checkpoint import CrashInCheckpoint
from capsize.faults.dependency import Dependency
from capsize.faults.descriptors import Descriptors
from capsize.faults.disconnect import Disconnect
from capsize.faults.disk_error import DiskError
from capsize.faults.disk_full import DiskFull
from capsize.faults.disk_slow import DiskSlow
from capsize.faults.dns import Dns
from capsize.faults.exhaust_connections import ExhaustConnections
from capsize.faults.injection import Injection, heal, inject, why_not
from capsize.faults.kill import Kill
from capsize.faults.kill_point import KillPoint
from capsize.faults.latency import Latency
from capsize.faults.lock_table import LockTable
from capsize.faults.lost_reply import LostReply
from capsize.faults.lost_statement import LostStatement
from capsize.faults.memory import Memory
from capsize.faults.network import Network
from capsize.faults.packet_loss import PacketLoss
from capsize.faults.partition import Partition
from capsize.faults.pause import Pause
from capsize.faults.read_only import ReadOnly
from capsize.faults.reset import Reset
from capsize.faults.restart import Restart
from capsize.faults.restart_under_load import RestartUnderLoad
from capsize.faults.scale import Scale
from capsize.faults.slow_queries import SlowQueries
from capsize.faults.slow_statement import SlowStatement
from capsize.faults.sql_error import SqlError
from capsize.faults.stop import Stop
from capsize.faults.terminate import Terminate
from capsize.faults.terminate_connections import TerminateConnections

FAULTS: dict[str, type[Fault]] = {
    "bandwidth": Bandwidth,
    "clock_skew": ClockSkew,
    "cpu": Cpu,
    "crash_in_checkpoint": CrashInCheckpoint,
    "dependency": Dependency,
    "disconnect": Disconnect,
    "descriptors": Descriptors,
    "disk_error": DiskError,
    "disk_full": DiskFull,
    "disk_slow": DiskSlow,
    "dns": Dns,
    "exhaust_connections": ExhaustConnections,
    "kill": Kill,
    "kill_point": KillPoint,
    "latency": Latency,
    "lock_table": LockTable,
    "lost_reply": LostReply,
    "lost_statement": LostStatement,
    "memory": Memory,
    "network": Network,
    "packet_loss": PacketLoss,
    "partition": Partition,
    "pause": Pause,
    "read_only": ReadOnly,
    "reset": Reset,
    "restart": Restart,
    "restart_under_load": RestartUnderLoad,
    "scale": Scale,
    "slow_queries": SlowQueries,
    "slow_statement": SlowStatement,
    "sql_error": SqlError,
    "stop": Stop,
    "terminate": Terminate,
    "terminate_connections": TerminateConnections,
}
"""The known faults by name."""

__all__ = [
    "FAULTS",
    "Bandwidth",
    "ClockSkew",
    "Cpu",
    "CrashInCheckpoint",
    "Dependency",
    "Descriptors",
    "Disconnect",
    "DiskError",
    "DiskFull",
    "DiskSlow",
    "Dns",
    "ExhaustConnections",
    "Injection",
    "Kill",
    "KillPoint",
    "Latency",
    "LockTable",
    "LostReply",
    "LostStatement",
    "Memory",
    "Network",
    "PacketLoss",
    "Partition",
    "Pause",
    "ReadOnly",
    "Reset",
    "Restart",
    "RestartUnderLoad",
    "Scale",
    "SlowQueries",
    "SlowStatement",
    "SqlError",
    "Stop",
    "Terminate",
    "TerminateConnections",
    "heal",
    "inject",
    "why_not",
]
