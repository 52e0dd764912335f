"""Does nothing."""

from __future__ import annotations

from typing import ClassVar

from capsize.proxy.stage import Stage
from capsize.proxy.toxics.base import Toxic


class Pass(Stage):
    """Passes on and counts."""

    def feed(self, data: bytes) -> None:
        """Count the chunk and pass it on."""
        self.hit()
        self.send(data)


class Noop(Toxic, frozen=True, kw_only=True):
    """Passes everything on; its hits count the chunks that came by."""

    name: ClassVar[str] = "noop"
    works: ClassVar[type[Stage]] = Pass
