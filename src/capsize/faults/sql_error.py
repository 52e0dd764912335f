"""A statement that the server refuses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from capsize.faults.connections import OnStatements


class SqlError(OnStatements, frozen=True, kw_only=True):
    """Has a statement refused with ``sqlstate`` instead of carried out.

    40001 and 40P01 fail the transaction, 53300 and 57P01 end the connection, 25006 is what a standby answers:
    the server itself makes the error, so a transaction that was open has failed there too.
    """

    name: ClassVar[str] = "sql_error"

    sqlstate: Annotated[str, msgspec.Meta(pattern="^[0-9A-Z]{5}$")]

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule that answers with the code."""
        return "error", {"sqlstate": self.sqlstate}
