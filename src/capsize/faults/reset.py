"""Connections that are torn down."""

from __future__ import annotations

from typing import ClassVar

from capsize.faults.connections import OnBytes, Toxic


class Reset(OnBytes, frozen=True, kw_only=True):
    """Resets every connection between the victims and ``peer``: those that are open at once, and as long as it is
    held each new one as soon as it is made."""

    name: ClassVar[str] = "reset"

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return one toxic that does not wait for data."""
        return [("reset_peer", "upstream", {"timeout": 0, "idle": True})]
