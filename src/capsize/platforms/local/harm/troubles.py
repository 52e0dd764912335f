"""What can be wrong with a disk, as the server of a disk is told."""

from __future__ import annotations

import msgspec

ATTRIBUTE = "user.capsize.trouble"
"""The extended attribute of a disk's root that holds its state."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """No room, operations that fail, seconds per operation, bytes a second; ``met`` counts what was hit since."""

    full: bool = False
    fail: tuple[str, ...] = ()
    latency_s: float = 0.0
    bytes_per_s: float | None = None
    met: int = 0
