"""What the service says of its circuit breakers, over time."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from capsize.core.events import Noted, Sample
from capsize.core.http import Exchange
from capsize.core.protocols import Stage
from capsize.core.system import System
from capsize.load.calls import complaint
from capsize.load.http import HttpClient
from capsize.load.schedule import every, open_loop


class BreakerProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the circuits every ``interval_s``: a Sample ``breaker`` with a state for each kind of task.

    ``values`` maps the kinds of the ``tasks`` load (``delay``, ``call``, ``unknown``) to ``closed``, ``open`` or
    ``half_open``, as far as the system has them. A look that brought nothing has an ``error`` and no values. On a
    system that does not show its circuits it leaves one note and ends.
    """

    name: ClassVar[str] = "breaker"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        request = stage.system.breakers(stage.auth)
        if request is None:
            message = f"the system {stage.system.name!r} does not show its circuit breakers"
            stage.record(Noted(t=stage.clock.now(), level="info", message=message))
            return
        kinds = _kinds(stage.system)
        limit = int(self.timeout_s / self.interval_s * 1.5) + 8
        async with HttpClient.to(stage.platform.api_url, stage.clock, connections_max=limit) as client:

            async def look(number: int, planned: float) -> None:
                exchange = await client.send(request, self.timeout_s)
                stage.record(self._sample(stage.system, exchange, kinds))

            def shed(number: int, planned: float) -> None:
                now = stage.clock.now()
                error = f"not sent: {limit} looks in flight"
                stage.record(Sample(t=now, probe=self.name, began=now, error=error))

            times = every(self.interval_s)
            await open_loop(stage.clock, times, look, in_flight_max=limit, shed=shed)

    def _sample(self, system: System, exchange: Exchange, kinds: dict[str, str]) -> Sample:
        circuits = system.circuits(exchange)
        error = complaint(exchange) if circuits is None else None
        values: dict[str, Any] = {}
        if circuits is not None:
            values = {kind: circuits.get(type_, "closed") for kind, type_ in kinds.items()}
        return Sample(t=exchange.done, probe=self.name, began=exchange.sent, values=values, error=error)


def _kinds(system: System) -> dict[str, str]:
    """Return the task type of each kind that the system has."""
    orders = {
        "delay": system.delay_order(0.0, ""),
        "call": system.call_order("http://127.0.0.1", "", timeout_s=1.0),
        "unknown": system.unknown_order(""),
    }
    return {kind: order.type for kind, order in orders.items() if order is not None}
