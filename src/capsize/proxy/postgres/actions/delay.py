"""Makes the client wait."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from capsize.proxy.postgres.actions.base import Action, Moment, When
from capsize.proxy.toxics.base import Seconds


class Delay(Action, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds the statement, or its reply, for ``delay_s`` seconds."""

    name: ClassVar[str] = "delay"

    delay_s: Seconds
    when: When = "before"

    @property
    def moment(self) -> When:
        """Return when it is carried out."""
        return self.when

    async def carry_out(self, moment: Moment) -> None:
        """Wait."""
        await asyncio.sleep(self.delay_s)
