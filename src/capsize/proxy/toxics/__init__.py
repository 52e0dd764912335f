"""The toxics, one file each. The name in the table is the ``type`` of the API."""

from __future__ import annotations

from types import MappingProxyType

from capsize.proxy.toxics.bandwidth import Bandwidth
from capsize.proxy.toxics.base import Toxic
from capsize.proxy.toxics.blackhole import Blackhole
from capsize.proxy.toxics.latency import Latency
from capsize.proxy.toxics.limit_data import LimitData
from capsize.proxy.toxics.noop import Noop
from capsize.proxy.toxics.partition import Partition
from capsize.proxy.toxics.reset_peer import ResetPeer
from capsize.proxy.toxics.slicer import Slicer
from capsize.proxy.toxics.slow_close import SlowClose
from capsize.proxy.toxics.stall import Stall
from capsize.proxy.toxics.timeout import Timeout

TOXICS: MappingProxyType[str, type[Toxic]] = MappingProxyType(
    {
        toxic.name: toxic
        for toxic in (
            Latency,
            Bandwidth,
            SlowClose,
            Timeout,
            ResetPeer,
            Slicer,
            LimitData,
            Noop,
            Stall,
            Partition,
            Blackhole,
        )
    }
)

__all__ = ["TOXICS", "Toxic"]
