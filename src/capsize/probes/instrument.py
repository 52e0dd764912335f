"""Whether capsize itself keeps up: a measurement is worth no more than the instrument's own punctuality."""

from __future__ import annotations

import time
from typing import Annotated, ClassVar

import msgspec

from capsize.core.events import Sample
from capsize.core.protocols import Stage
from capsize.load.alarm import alarm


class InstrumentProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Measures the lag of capsize's event loop and the CPU time of its process.

    Every ``tick_s`` it is due to wake; how late it does is the lag. Each ``interval_s`` a Sample
    ``instrument`` sums up the window: ``lag_p50_s``, ``lag_p99_s``, ``lag_max_s``, ``ticks``, ``cpu_share``
    (1.0 is one core). The lateness of sends is not repeated here: each Op carries its own (sent - planned).
    """

    name: ClassVar[str] = "instrument"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    tick_s: Annotated[float, msgspec.Meta(gt=0)] = 0.02

    async def run(self, stage: Stage) -> None:
        """Measure until cancelled."""
        async with alarm(stage.clock) as bell:
            while True:
                began, cpu = stage.clock.now(), time.process_time()
                lags: list[float] = []
                while stage.clock.now() < began + self.interval_s:
                    # Counted from the last wake-up, so that one long stall is one lag and not many.
                    due = stage.clock.now() + self.tick_s
                    await bell.until(due)
                    lags.append(max(0.0, stage.clock.now() - due))
                now = stage.clock.now()
                values = summary(lags)
                values["cpu_share"] = round((time.process_time() - cpu) / (now - began), 4)
                stage.record(Sample(t=now, probe=self.name, began=began, values=values))


def summary(lags: list[float]) -> dict[str, float]:
    """Return the figures of one window of lags, which must not be empty."""
    ordered = sorted(lags)
    return {
        "lag_p50_s": round(ordered[len(ordered) // 2], 6),
        "lag_p99_s": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 6),
        "lag_max_s": round(ordered[-1], 6),
        "ticks": len(ordered),
    }
