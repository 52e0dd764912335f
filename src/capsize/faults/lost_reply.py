"""A statement that was carried out, and whose answer is lost."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from capsize.faults.connections import OnStatements


class LostReply(OnStatements, frozen=True, kw_only=True):
    """Cuts the connection when the server has carried a statement out, and before a byte of the answer is passed on.

    For a COMMIT, and for a statement that stands alone, this is the doubt that no client can settle by itself: it
    took effect, and whoever sent it is told nothing. ``how`` is whether the connection is reset or closed.
    """

    name: ClassVar[str] = "lost_reply"

    how: Literal["reset", "close"] = "reset"

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule that drops the answer."""
        return "drop", {"when": "after", "how": self.how}
