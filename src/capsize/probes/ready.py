"""Whether the API can do real work, looked at often enough to time a recovery."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.core.protocols import Stage
from capsize.load.calls import Caller, expecting
from capsize.load.http import HttpClient
from capsize.load.schedule import every, open_loop


class ReadyProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the system's readiness every ``interval_s``, each time one Op ``ready`` of the client ``prober``.

    Open loop: a frozen API does not stop the looking, each look stands on its own and is given up after
    ``timeout_s``. ``in_flight_max`` is above what these two allow, so that nothing is ever held back.
    """

    name: ClassVar[str] = "ready"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.02
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        request = stage.system.ready()
        judge = expecting(request, (200,))
        limit = int(self.timeout_s / self.interval_s * 1.5) + 8
        async with HttpClient.to(stage.platform.api_url, stage.clock, connections_max=limit) as client:
            caller = Caller("prober", client.send, stage.clock, stage.record, self.timeout_s)

            async def look(number: int, planned: float) -> None:
                await caller.call("ready", request, planned, judge)

            def shed(number: int, planned: float) -> None:
                caller.shed("ready", planned, limit)

            times = every(self.interval_s)
            await open_loop(stage.clock, times, look, in_flight_max=limit, shed=shed)
