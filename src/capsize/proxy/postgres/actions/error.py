"""Answers with an error in the server's place."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from capsize.proxy.postgres.actions.base import Action, Moment, When
from capsize.proxy.postgres.wire import Refusal

# Codes that the server sends as FATAL: the connection ends with them.
_FATAL = ("57P01", "57P02", "57P03", "57P05", "53300", "3D000", "28")
_MESSAGES = {
    "57P01": "terminating connection due to administrator command",
    "57P02": "terminating connection because of crash of another server process",
    "57P03": "the database system is starting up",
    "53300": "sorry, too many clients already",
    "40001": "could not serialize access due to concurrent update",
    "40P01": "deadlock detected",
    "25006": "cannot execute statement in a read-only transaction",
    "55P03": "could not obtain lock",
    "57014": "canceling statement due to statement timeout",
    "08006": "connection failure",
}


class Error(Action, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers with ``sqlstate``; the statement is not carried out.

    An ERROR leaves the connection, and puts an open transaction into the failed state in the server too.
    A FATAL ends the connection. ``severity`` is what the server would use for the code unless it is given.
    """

    name: ClassVar[str] = "error"

    sqlstate: Annotated[str, msgspec.Meta(pattern="^[0-9A-Z]{5}$")]
    message: Annotated[str, msgspec.Meta(pattern="^[^\0]*$", max_length=1000)] = ""
    severity: Literal["ERROR", "FATAL"] | None = None

    @property
    def moment(self) -> When:
        """Return when it is carried out."""
        return "before"

    async def carry_out(self, moment: Moment) -> None:
        """Have the statement refused."""
        moment.refusal = self.refusal()

    def refusal(self) -> Refusal:
        """Return the error that the client sees."""
        fatal = (
            self.sqlstate.startswith(("08", *_FATAL)) if self.severity is None else self.severity == "FATAL"
        )
        message = self.message or _MESSAGES.get(self.sqlstate, f"injected error {self.sqlstate}")
        return Refusal(self.sqlstate, message, fatal)
