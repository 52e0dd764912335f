"""Cuts the connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from capsize.proxy.postgres.actions.base import Action, Moment, When


class Drop(Action, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cuts the client off: with ``reset`` by an RST, with ``close`` by an orderly end.

    ``before``: the server never sees the statement. ``after``: it has carried it out, and the client sees
    no byte of the answer.
    """

    name: ClassVar[str] = "drop"
    keeps_reply: ClassVar[bool] = False

    when: When = "before"
    how: Literal["reset", "close"] = "reset"

    @property
    def moment(self) -> When:
        """Return when it is carried out."""
        return self.when

    async def carry_out(self, moment: Moment) -> None:
        """Cut."""
        moment.link.cut(reset=self.how == "reset")
