"""A platform without processes: instances as plain data, for tests of what is built on platforms."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from capsize.core.clock import Clock
from capsize.core.errors import InjectionError, Missed, StartError, UsageError
from capsize.core.events import InstanceChanged, InstanceState
from capsize.core.platform import Instance, Service
from capsize.core.protocols import Record

FIRST_PID = 100_000
FIRST_PORT = 20_000


@dataclass
class _Slot:
    """One instance: what it is, and the task that brings it up."""

    name: str
    service: str
    port: int | None
    restart: bool
    pid: int | None = None
    state: InstanceState = "stopped"
    frozen: bool = False
    rising: asyncio.Task[None] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class MemorySession:
    """A session that answers every statement with the platform's rows."""

    pid = FIRST_PID

    def __init__(self, platform: MemoryPlatform) -> None:
        self._platform = platform

    async def run(self, sql: str, *args: object, limit_s: float = 5.0) -> list[dict[str, Any]]:
        """Return the rows."""
        return await self._platform.query(sql, *args)

    def start(self, sql: str) -> asyncio.Future[None]:
        """Begin a statement that never ends."""
        return asyncio.get_running_loop().create_future()


@dataclass(frozen=True)
class Call:
    """One call of an ability: when, what, and with which arguments."""

    t: float
    what: str
    args: tuple[object, ...]


class MemoryPlatform:
    """Has every ability and the same events as the local platform, on any clock, also a simulated one.

    ``restart_s`` passes before a killed instance is started again (None: it stays down, as if given up),
    ``start_s`` until a started one is ready. ``failing`` maps the name of an ability's method to what it
    raises, from now on. ``calls`` holds what was asked of it. ``rows`` is what a query returns.
    :meth:`without` makes platforms that lack abilities.
    """

    name = "memory"

    def __init__(
        self,
        record: Record,
        clock: Clock,
        *,
        restart_s: float | None = 0.1,
        start_s: float = 0.05,
        rows: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.calls: list[Call] = []
        self.failing: dict[str, Exception] = {}
        self.rows = list(rows)
        self._record, self._clock = record, clock
        self._restart_s, self._start_s = restart_s, start_s
        self._services: dict[str, Service] = {}
        self._slots: dict[str, _Slot] = {}
        self._numbers = 0

    @classmethod
    def without(cls, *abilities: type) -> type[MemoryPlatform]:
        """Return a kind of platform that lacks some abilities."""
        # None in the place of a method is how a class says that it does not follow a protocol.
        lacking = {name: None for ability in abilities for name in vars(ability) if not name.startswith("_")}
        return type(cls.__name__, (cls,), lacking)

    # ------------------------------------------------------------ up and down

    async def up(self, services: Sequence[Service]) -> None:
        """Bring all instances up, in order. Raises StartError when told to."""
        self._called("up")
        self._services = {service.name: service for service in services}
        for service in services:
            if service.role == "job":
                self._say(_Slot(service.name, service.name, None, False), "starting")
                self._say(_Slot(service.name, service.name, None, False), "stopped", code=0)
                continue
            slots = [self._add(service, number) for number in range(1, service.replicas + 1)]
            await asyncio.gather(*(self._rise(slot) for slot in slots))

    async def down(self) -> None:
        """Take everything down."""
        self._called("down")
        for slot in self._slots.values():
            self._halt(slot)
        self._slots.clear()

    # ------------------------------------------------------------ what there is

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances that should exist."""
        return tuple(
            Instance(
                name=slot.name,
                service=slot.service,
                pid=slot.pid,
                port=slot.port,
                ready=slot.state == "ready" and not slot.frozen,
            )
            for slot in self._slots.values()
            if service in (None, slot.service)
        )

    @property
    def api_url(self) -> str:
        """Return an address at which nothing listens."""
        return f"http://127.0.0.1:{self._port_of('api')}"

    @property
    def database_url(self) -> str:
        """Return an address at which nothing listens."""
        return f"postgresql://app@127.0.0.1:{self._port_of('database')}/postgres"

    # ------------------------------------------------------------ abilities

    async def kill(self, instance: str) -> None:
        """End an instance; it comes back after ``restart_s``."""
        self._called("kill", instance)
        self._end(self._running(instance), code=-9)

    async def terminate(self, instance: str) -> None:
        """End an instance in order; it comes back after ``restart_s``."""
        self._called("terminate", instance)
        self._end(self._running(instance), code=0)

    async def stop(self, instance: str, *, hard: bool = False) -> None:
        """Take an instance down until ``start``."""
        self._called("stop", instance, hard)
        self._halt(self._slot(instance), code=-9 if hard else 0)

    async def start(self, instance: str) -> None:
        """Have an instance up and return when it is ready."""
        self._called("start", instance)
        slot = self._slot(instance)
        if slot.rising is None and slot.pid is None:
            await self._rise(slot)
        await slot.ready.wait()

    async def pause(self, instance: str) -> None:
        """Freeze an instance."""
        self._called("pause", instance)
        self._running(instance).frozen = True

    async def resume(self, instance: str) -> None:
        """Let an instance go on."""
        self._called("resume", instance)
        self._slot(instance).frozen = False

    async def scale(self, service: str, replicas: int) -> None:
        """Add or take away instances until there are so many."""
        self._called("scale", service, replicas)
        if service not in self._services or self._services[service].role in ("database", "job"):
            raise UsageError(f"{service!r} can't be scaled")
        names = [slot.name for slot in self._slots.values() if slot.service == service]
        for name in names[replicas:]:
            self._halt(self._slots.pop(name), code=0)
        numbers = range(len(names) + 1, replicas + 1)
        slots = [self._add(self._services[service], number) for number in numbers]
        await asyncio.gather(*(self._rise(slot) for slot in slots))

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Return ``rows``. Raises InjectionError while the database is down."""
        self._called("query", sql, *args)
        bases = [slot for slot in self._slots.values() if self._services[slot.service].role == "database"]
        if not any(slot.state == "ready" and not slot.frozen for slot in bases):
            raise InjectionError("no database is up on this platform")
        return list(self.rows)

    async def connect(self, label: str, *, as_service: bool = False) -> MemorySession:
        """Return a session on nothing."""
        self._called("connect", label, as_service)
        return MemorySession(self)

    async def disconnect(self, label: str) -> None:
        """Take note."""
        self._called("disconnect", label)

    # ------------------------------------------------------------ inside

    def _called(self, what: str, *args: object) -> None:
        self.calls.append(Call(self._clock.now(), what, args))
        if what in self.failing:
            raise self.failing[what]

    def _add(self, service: Service, number: int) -> _Slot:
        name = f"{service.name}-{number}"
        listens = service.port is not None or service.role == "database"
        port = service.port or FIRST_PORT + len(self._slots) if listens else None
        self._slots[name] = _Slot(name, service.name, port, service.restart)
        return self._slots[name]

    async def _rise(self, slot: _Slot, delay_s: float = 0.0) -> None:
        slot.rising = asyncio.create_task(self._rising(slot, delay_s), name=f"rise {slot.name}")
        await asyncio.wait({slot.rising})
        if slot.rising is not None and slot.rising.cancelled():
            raise StartError(f"{slot.name} was taken down while it was starting")

    async def _rising(self, slot: _Slot, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        self._numbers += 1
        slot.pid = FIRST_PID + self._numbers
        self._say(slot, "starting")
        await self._clock.sleep(self._start_s)
        slot.rising = None
        self._say(slot, "ready")
        slot.ready.set()

    def _end(self, slot: _Slot, code: int) -> None:
        """Let the process end, and the restart policy do what it does."""
        self._clear(slot)
        self._say(slot, "exited", code=code)
        if not slot.restart:
            return
        if self._restart_s is None:
            self._say(slot, "gave_up")
            return
        slot.rising = asyncio.create_task(self._rising(slot, self._restart_s), name=f"restart {slot.name}")

    def _halt(self, slot: _Slot, code: int | None = None) -> None:
        """Take it down for good."""
        was_up = slot.pid is not None
        self._clear(slot)
        if slot.state != "stopped":
            self._say(slot, "stopped", code=code if was_up else None)

    def _clear(self, slot: _Slot) -> None:
        if slot.rising is not None:
            slot.rising.cancel()
            slot.rising = None
        slot.pid, slot.frozen = None, False
        slot.ready.clear()

    def _running(self, instance: str) -> _Slot:
        slot = self._slot(instance)
        if slot.pid is None:
            raise Missed(f"{instance} was not running")
        return slot

    def _slot(self, instance: str) -> _Slot:
        if instance not in self._slots:
            raise UsageError(f"there is no instance {instance!r}. Known: {', '.join(self._slots)}")
        return self._slots[instance]

    def _port_of(self, role: str) -> int | None:
        for slot in self._slots.values():
            if self._services[slot.service].role == role:
                return slot.port
        raise UsageError(f"no {role} is running on this platform")

    def _say(self, slot: _Slot, state: InstanceState, *, code: int | None = None) -> None:
        slot.state = state
        self._record(
            InstanceChanged(
                t=self._clock.now(),
                instance=slot.name,
                service=slot.service,
                state=state,
                pid=slot.pid,
                code=code,
            )
        )
