"""The load that the API's success rate is measured with: its calls in random order at a steady rate."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.core.errors import UsageError
from capsize.core.protocols import Stage
from capsize.core.seed import stream
from capsize.load.calls import Caller, expecting
from capsize.load.http import HttpClient
from capsize.load.schedule import arrivals, open_loop


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Sends the system's API calls at ``rate`` per second in a seeded order, until cancelled.

    Open loop: the next call goes out on time whatever became of those before. Each is one Op ``api:<name>``,
    ok only with a status that the system expects. With ``poisson`` the gaps are random instead of even.
    """

    name: ClassVar[str] = "api"

    rate: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    poisson: bool = False
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    in_flight_max: Annotated[int, msgspec.Meta(gt=0)] = 500

    @property
    def finite(self) -> bool:
        """Return False: it goes on until it is stopped."""
        return False

    async def run(self, stage: Stage) -> None:
        """Send until cancelled."""
        calls = stage.system.api_calls(stage.auth)
        if not calls:
            raise UsageError(f"the system {stage.system.name!r} names no API calls, so there is no API load")
        pick = stream(stage.seed, "load", self.name, "pick")
        gaps = stream(stage.seed, "load", self.name, "gaps") if self.poisson else None
        limit = self.in_flight_max
        async with HttpClient.to(stage.platform.api_url, stage.clock, connections_max=limit) as client:
            caller = Caller(self.name, client.send, stage.clock, stage.record, self.timeout_s)

            async def fire(number: int, planned: float) -> None:
                call = pick.choice(calls)
                judge = expecting(call.request, call.expect)
                await caller.call(f"api:{call.name}", call.request, planned, judge)

            def shed(number: int, planned: float) -> None:
                caller.shed(f"api:{pick.choice(calls).name}", planned, limit)

            times = arrivals(self.rate, gaps)
            await open_loop(stage.clock, times, fire, in_flight_max=limit, shed=shed)
