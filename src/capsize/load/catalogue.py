"""The load of the baseline: every call of the API once, one after the other."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.core.protocols import Stage
from capsize.load.calls import Caller, expecting
from capsize.load.http import HttpClient


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Makes each of the system's API calls once, in order, ``rounds`` times; then it is done."""

    name: ClassVar[str] = "catalogue"

    rounds: Annotated[int, msgspec.Meta(gt=0)] = 1
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0

    @property
    def finite(self) -> bool:
        """Return True: it ends with its last round."""
        return True

    async def run(self, stage: Stage) -> None:
        """Call each, wait for its answer, go on to the next."""
        async with HttpClient.to(stage.platform.api_url, stage.clock) as client:
            caller = Caller(self.name, client.send, stage.clock, stage.record, self.timeout_s)
            for _ in range(self.rounds):
                for call in stage.system.api_calls(stage.auth):
                    judge = expecting(call.request, call.expect)
                    await caller.call(f"api:{call.name}", call.request, stage.clock.now(), judge)
