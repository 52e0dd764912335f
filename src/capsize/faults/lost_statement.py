"""A statement that never reaches the server."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from capsize.faults.connections import OnStatements


class LostStatement(OnStatements, frozen=True, kw_only=True):
    """Cuts the connection before a statement is passed on: to whoever sent it this looks like a lost answer.

    ``how`` is whether the connection is reset or closed.
    """

    name: ClassVar[str] = "lost_statement"

    how: Literal["reset", "close"] = "reset"

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule that drops the statement."""
        return "drop", {"when": "before", "how": self.how}
