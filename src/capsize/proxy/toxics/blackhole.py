"""Swallows one direction."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Toxic


class Swallow(Stage):
    """Drops bytes, the end and the reset."""

    _dropped = False

    def feed(self, data: bytes) -> None:
        """Drop it."""
        self.hit()
        self._dropped = True

    def eof(self) -> None:
        """Drop the half-close."""
        self._dropped = True

    def lost(self) -> None:
        """Drop the news of a reset."""
        self._dropped = True

    def end(self) -> None:
        """Reset when something is missing; else leave the connection as it is."""
        if self._dropped:
            self.flow.link.abort(reset=True)


class Blackhole(Toxic, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Drops everything in its direction and keeps the connection open, so that only a time-out can notice.

    When it is removed, connections that lost something are reset; the others go on.
    """

    name: ClassVar[str] = "blackhole"
    works: ClassVar[type[Stage]] = Swallow
