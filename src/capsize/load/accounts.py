"""The load that the claim ``accounts`` judges: users who register, log in, refresh their session, and log out."""

from __future__ import annotations

import itertools
import uuid
from typing import Annotated, ClassVar

import msgspec

from capsize.core.errors import NotSupported
from capsize.core.http import Exchange, Request
from capsize.core.protocols import Stage
from capsize.core.seed import stream
from capsize.core.system import Accountable, Session, System
from capsize.load.http import HttpClient
from capsize.load.schedule import arrivals, open_loop
from capsize.load.stubborn import Stubborn, status

JOURNEYS_MAX = 200


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """Sends ``count`` users at ``rate`` a second through the life of an account, each call until its outcome is known.

    A user registers, logs in, asks who it is, refreshes the session; every other one then plays the spent refresh
    token once more, as its thief would, which must end the session. At last it logs out and asks again who it is.
    Each try is one Op ``account:<step>`` whose ``key`` is the user. A user who is told that its address is taken
    goes on if its own try may have done that; and logs in again if its lost refresh cost it the session.
    """

    name: ClassVar[str] = "accounts"

    count: Annotated[int, msgspec.Meta(ge=1)] = 10
    rate: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    after_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    @property
    def finite(self) -> bool:
        """Return True: it ends with its last user."""
        return True

    def lacks(self, system: System) -> str | None:
        """Return what the system lacks for it."""
        return None if isinstance(system, Accountable) else "accounts and sessions"

    async def run(self, stage: Stage) -> None:
        """Send all users on their way and wait for them."""
        if not isinstance(stage.system, Accountable):
            raise NotSupported(f"the system {stage.system.name!r} has no accounts and sessions")
        system = stage.system
        async with HttpClient.to(stage.platform.api_url, stage.clock) as client:

            async def journey(number: int, planned: float) -> None:
                draw = stream(stage.seed, "load", self.name, number)
                name = f"user-{uuid.UUID(int=draw.getrandbits(128), version=4)}"
                asker = Stubborn(stage, client, self.name, draw)
                await _Journey(system, asker, name).go(thief=number % 2 == 1)

            times = (self.after_s + at for at in itertools.islice(arrivals(self.rate), self.count))
            await open_loop(
                stage.clock, times, journey, in_flight_max=JOURNEYS_MAX, shed=lambda number, planned: None
            )


class _Journey:
    """One user's way."""

    def __init__(self, system: Accountable, asker: Stubborn, name: str) -> None:
        self._system, self._asker, self._name = system, asker, name

    async def go(self, *, thief: bool) -> None:
        """Go all the way; a step that is refused ends it, for the claim to judge."""
        system = self._system
        await self._ask("register", system.register(self._name), 201)
        session = await self._log_in()
        if session is None:
            return
        await self._ask("me", system.whoami(session), 200)
        answer = await self._ask("refresh", system.refresh(session), 200)
        spent, session = session, system.session(answer)
        if session is not None and thief:
            await self._ask("reuse", system.refresh(spent), 401)
            await self._ask("ended", system.whoami(session), 401)
        if thief or status(answer) == 401:
            # Refused: its own try took effect, and the new tokens were lost with the answer.
            session = await self._log_in()
        if session is None:
            return
        await self._ask("me", system.whoami(session), 200)
        await self._ask("logout", system.log_out(session), 204)
        await self._ask("ended", system.whoami(session), 401)

    async def _log_in(self) -> Session | None:
        return self._system.session(await self._ask("login", self._system.log_in(self._name), 200))

    async def _ask(self, step: str, request: Request, good: int) -> Exchange:
        return await self._asker.ask(f"account:{step}", request, (good,), key=self._name)
