"""Tells somebody, and waits for the answer."""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar

import msgspec

from capsize.core.errors import InjectionError
from capsize.proxy.http_client import request
from capsize.proxy.postgres.actions.base import Action, Moment, When
from capsize.proxy.toxics.base import Seconds


class Callback(Action, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends a POST with what fired to ``url`` and goes on when it is answered, or after ``timeout_s``.

    With ``after`` the caller is told exactly between effect and acknowledgement: a worker that it kills
    there has done its work and does not know. Within one process a rule can hold a callable instead.
    """

    name: ClassVar[str] = "callback"

    url: Annotated[str, msgspec.Meta(pattern="^(http://.+)?$")] = ""
    when: When = "after"
    timeout_s: Seconds = 10.0

    @property
    def moment(self) -> When:
        """Return when it is carried out."""
        return self.when

    async def carry_out(self, moment: Moment) -> None:
        """Tell, and wait. It goes on when the connection ends meanwhile: the caller may have ended it."""
        await asyncio.shield(moment.link.proxy.spawn(self._tell(moment)))

    async def _tell(self, moment: Moment) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                if moment.rule.call is not None:
                    await moment.rule.call(moment.fired())
                    return
                status, _ = await request("POST", self.url, msgspec.json.encode(moment.fired()))
            if not 200 <= status < 300:
                raise InjectionError(f"{self.url} answered {status}")
        except Exception as error:
            moment.rule.wrong(error)
