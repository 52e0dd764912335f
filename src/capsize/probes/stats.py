"""The task counts that the service states, over time."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capsize.core.events import Sample
from capsize.core.protocols import Stage
from capsize.load.calls import complaint
from capsize.load.http import HttpClient
from capsize.load.schedule import every, open_loop


class StatsProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the counts every ``interval_s``: a Sample ``stats`` whose values are the counts by state.

    A look that brought no counts is a Sample with an ``error`` and no values. Looks may overlap when the
    service is slow; ``began`` tells when each was asked.
    """

    name: ClassVar[str] = "stats"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        request = stage.system.stats()
        limit = int(self.timeout_s / self.interval_s * 1.5) + 8
        async with HttpClient.to(stage.platform.api_url, stage.clock, connections_max=limit) as client:

            async def look(number: int, planned: float) -> None:
                exchange = await client.send(request, self.timeout_s)
                counts = stage.system.counts(exchange)
                error = complaint(exchange) if counts is None else None
                values = dict(counts or {})
                stage.record(
                    Sample(t=exchange.done, probe=self.name, began=exchange.sent, values=values, error=error)
                )

            def shed(number: int, planned: float) -> None:
                now = stage.clock.now()
                error = f"not sent: {limit} looks in flight"
                stage.record(Sample(t=now, probe=self.name, began=now, error=error))

            times = every(self.interval_s)
            await open_loop(stage.clock, times, look, in_flight_max=limit, shed=shed)
