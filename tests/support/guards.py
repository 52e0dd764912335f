"""Guards for tests: one that only remembers what it was told."""

from __future__ import annotations

from capsize.core.undo import Undo


class RecordingGuard:
    """Remembers every step; ``open`` is what was announced and not undone yet, by ticket."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[Undo, ...]] = {}
        self.told: list[Undo] = []
        self.lives: list[float | None] = []

    def before(self, *steps: Undo, ttl_s: float | None = None) -> str:
        """Remember the steps."""
        ticket = f"t{len(self.lives) + 1}"
        self.open[ticket] = steps
        self.told += steps
        self.lives.append(ttl_s)
        return ticket

    def after(self, ticket: str) -> None:
        """Forget a ticket."""
        self.open.pop(ticket, None)
