"""What users do with tasks besides submitting them: cancel, take up again, delete, purge."""

from __future__ import annotations

import itertools
import uuid
from typing import Annotated, ClassVar, Literal

import msgspec

from capsize.core.errors import NotSupported
from capsize.core.protocols import Stage
from capsize.core.seed import stream
from capsize.core.system import Accountable, Operable, System, TaskOrder
from capsize.load.http import HttpClient
from capsize.load.schedule import arrivals, open_loop
from capsize.load.stubborn import Stubborn, status

CYCLES_MAX = 200
LOOK_S = 0.2
LOOK_TIMEOUT_S = 5.0
Headers = tuple[tuple[str, str], ...]


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """Goes ``count`` times, at ``rate`` a second, through one of three cycles in turn, each call until its outcome is known.

    - A task of ``seconds`` is submitted, cancelled, taken up again (retry), waited for, and deleted.
    - A task of a type that nobody knows is submitted, fails for good, is put back into the queue (requeue), fails
      again, and is deleted.
    - Such a task of a user of its own fails for good, and the user's dead letters are purged. It is recorded without
      its id: the audit asks in the name of another user.

    Each try is one Op: ``submit``, ``cancel``, ``retry``, ``requeue``, ``delete``, ``purge``.
    """

    name: ClassVar[str] = "operations"

    count: Annotated[int, msgspec.Meta(ge=1)] = 9
    rate: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    cancel_after_s: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    after_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    @property
    def finite(self) -> bool:
        """Return True: it ends with its last cycle."""
        return True

    def lacks(self, system: System) -> str | None:
        """Return what the system lacks for it."""
        if not isinstance(system, Operable):
            return "operations on tasks"
        if not isinstance(system, Accountable):
            return "accounts and sessions"
        return None if system.unknown_order("") is not None else "way to take a task of an unknown type"

    async def run(self, stage: Stage) -> None:
        """Go through all cycles and wait for them."""
        if (lacking := self.lacks(stage.system)) is not None:
            raise NotSupported(f"the system {stage.system.name!r} has no {lacking}")
        async with HttpClient.to(stage.platform.api_url, stage.clock) as client:

            async def cycle(number: int, planned: float) -> None:
                draw = stream(stage.seed, "load", self.name, number)
                key = str(uuid.UUID(int=draw.getrandbits(128), version=4))
                one = _Cycle(stage, client, Stubborn(stage, client, self.name, draw), key)
                await (one.cancelled, one.refused, one.purged)[number % 3](self)

            times = (self.after_s + at for at in itertools.islice(arrivals(self.rate), self.count))
            await open_loop(
                stage.clock, times, cycle, in_flight_max=CYCLES_MAX, shed=lambda number, planned: None
            )


class _Cycle:
    """One task's way, by its key."""

    def __init__(self, stage: Stage, client: HttpClient, asker: Stubborn, key: str) -> None:
        self._stage, self._client, self._asker, self._key = stage, client, asker, key

    async def cancelled(self, plan: Operations) -> None:
        """Cancel it, take it up again, delete it when it is done."""
        stage = self._stage
        task = await self._submit(stage.system.delay_order(plan.seconds, self._key))
        if task is None:
            return
        await stage.clock.sleep(plan.cancel_after_s)
        await self._asker.ask("cancel", stage.system.cancel(task, stage.auth), (200,), about=task)
        # Refused when it was done first: then there is nothing to take up again.
        if await self._status(task, ("cancelled", "completed")) == "cancelled":
            await self._operate("retry", task)
        await self._status(task, ("completed",))
        await self._operate("delete", task)

    async def refused(self, plan: Operations) -> None:
        """Put it back when it failed for good; delete it when it did so again."""
        order = self._stage.system.unknown_order(self._key)
        task = await self._submit(order) if order is not None else None
        if task is None:
            return
        await self._status(task, ("failed",))
        await self._operate("requeue", task)
        await self._status(task, ("failed",))
        await self._operate("delete", task)

    async def purged(self, plan: Operations) -> None:
        """Purge it, in the name of a user of its own."""
        system = self._stage.system
        order = system.unknown_order(self._key)
        if order is None or not isinstance(system, Accountable):
            return
        name = f"purger-{self._key}"
        await self._asker.ask("account:register", system.register(name), (201,), key=name)
        session = system.session(
            await self._asker.ask("account:login", system.log_in(name), (200,), key=name)
        )
        if session is None:
            return
        auth = system.speaking_as(session)
        answer = await self._asker.ask("submit", system.submit(order, auth), (200, 201), key=self._key)
        task = system.submitted(answer)[1]
        if task is None:
            return
        await self._status(task, ("failed",), auth)
        assert isinstance(system, Operable)  # noqa: S101 - lacks has looked
        await self._asker.ask("purge", system.operation("purge", task, auth), (200, 204))

    async def _submit(self, order: TaskOrder) -> str | None:
        system = self._stage.system
        answer = await self._asker.ask(
            "submit",
            system.submit(order, self._stage.auth),
            (200, 201),
            key=self._key,
            made=lambda exchange: system.submitted(exchange)[1],
        )
        return system.submitted(answer)[1]

    async def _operate(self, what: Literal["retry", "requeue", "delete"], task: str) -> int:
        system = self._stage.system
        assert isinstance(system, Operable)  # noqa: S101 - lacks has looked
        request = system.operation(what, task, self._stage.auth)
        return status(await self._asker.ask(what, request, (200, 204), about=task))

    async def _status(self, task: str, wanted: tuple[str, ...], auth: Headers | None = None) -> str:
        """Look until the task has one of some states, or is not known any more; returns the state."""
        system = self._stage.system
        assert isinstance(system, Operable)  # noqa: S101 - lacks has looked
        request = system.look(task, self._stage.auth if auth is None else auth)
        while True:
            found = system.looked(await self._client.send(request, LOOK_TIMEOUT_S))
            if found is not None and found in (*wanted, "missing"):
                return found
            await self._stage.clock.sleep(LOOK_S)
