"""Whether the database answers, seen beside the service: what its health endpoint is compared with."""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar

import msgspec

from capsize.core.errors import CapsizeError
from capsize.core.events import Noted, Sample
from capsize.core.platform import Queryable
from capsize.core.protocols import Stage


class DatabaseProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Runs ``select 1`` through the platform every ``interval_s``, one at a time, each within ``limit_s``.

    Each look is a Sample ``database`` with ``up`` and ``latency_s``, and with ``error`` when it is down. On a
    platform that has no way to the database it leaves one note and ends.
    """

    name: ClassVar[str] = "database"

    interval_s: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    limit_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0

    async def run(self, stage: Stage) -> None:
        """Look until cancelled."""
        platform = stage.platform
        if not isinstance(platform, Queryable):
            message = (
                f"the platform {stage.platform.name!r} has no way to the database beside the service, "
                "so what the health endpoint says was not compared with it"
            )
            stage.record(Noted(t=stage.clock.now(), level="info", message=message))
            return
        begin = stage.clock.now()
        slot = 0
        while True:
            began = stage.clock.now()
            error = await self._ask(platform)
            now = stage.clock.now()
            values = {"up": error is None, "latency_s": round(now - began, 6)}
            stage.record(Sample(t=now, probe=self.name, began=began, values=values, error=error))
            # The next slot that is still to come: a slow look is not made up for by a burst.
            slot = max(slot + 1, int((now - begin) / self.interval_s) + 1)
            await stage.clock.sleep(begin + slot * self.interval_s - now)

    async def _ask(self, platform: Queryable) -> str | None:
        """Return why the database did not answer; None when it did."""
        try:
            async with asyncio.timeout(self.limit_s):
                await platform.query("select 1")
        except TimeoutError:
            return f"no answer within {self.limit_s:g} s"
        except (CapsizeError, OSError) as error:
            return str(error) or type(error).__name__
        return None
