"""For stacks that nobody has to be afraid for: tests, and trying things out."""

from __future__ import annotations

from capsize.core.undo import Undo


class Unguarded:
    """A guard that does nothing: what is left when this process is killed, stays."""

    def before(self, *steps: Undo, ttl_s: float | None = None) -> str:
        """Return a ticket that stands for nothing."""
        return "unguarded"

    def after(self, ticket: str) -> None:
        """Do nothing."""
