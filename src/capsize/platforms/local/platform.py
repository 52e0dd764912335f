"""The local platform: processes of this machine under our own supervision."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from capsize.core.clock import Clock
from capsize.core.errors import CapsizeError, InjectionError, StartError, UsageError
from capsize.core.experiment import Link
from capsize.core.platform import Instance, Ready, Route, Service
from capsize.core.protocols import Record
from capsize.core.undo import Guard
from capsize.guardian import Unguarded
from capsize.guardian.belonging import MARK
from capsize.guardian.place import remove_place
from capsize.platforms.links import CLIENT, WITNESS, Links
from capsize.platforms.local.harm import Harm, HarmAbilities
from capsize.platforms.local.job import Job
from capsize.platforms.local.keeper import Keeper, Recipe, RestartPolicy
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.looks import Look, at_once, http_ok, log_line
from capsize.platforms.local.place import hand_over, make_place, stale_places
from capsize.platforms.local.plan import Plan, instance_name
from capsize.platforms.local.ports import HOST
from capsize.platforms.local.postgres import Postgres, Superuser
from capsize.platforms.local.waits import side_by_side, to_the_end
from capsize.platforms.sessions import PostgresSession, Sessions

DOWN_GRACE_S = 2.0
"""How long an instance may take to end by itself when everything is taken down: nothing counts any more."""


class LocalPlatform(HarmAbilities):
    """Starts services as processes and a PostgreSQL of its own; nothing of it is left after ``down``.

    ``directory`` gets one log file per instance. ``fields`` fill places in commands and environments beside
    ``{port}``, ``{instance}``, ``{database_url}`` and ``{api_url}``. Limits on cpu
    and memory are kept where control groups can be made.
    With ``outlives`` the instances go on when capsize ends, as ``leave`` wants it. ``links`` are the connections
    that go through a proxy, whose draws come from ``seed``.
    """

    name = "local"

    def __init__(
        self,
        directory: Path,
        record: Record,
        clock: Clock,
        fields: Mapping[str, str],
        policy: RestartPolicy | None = None,
        *,
        outlives: bool = False,
        guard: Guard | None = None,
        links: Sequence[Link] = (),
        seed: int = 0,
    ) -> None:
        self._directory, self._record, self._clock = directory, record, clock
        self._guard = guard or Unguarded()
        self._given = fields
        self._policy = policy or RestartPolicy()
        self._outlives = outlives
        self._linked, self._seed = tuple(links), seed
        self._reset()

    def _reset(self) -> None:
        self._plan = Plan((), self._fields)
        self._keepers: dict[str, Keeper] = {}
        self._logs: dict[str, InstanceLog] = {}
        self._place: Path | None = None
        self._harm: Harm | None = None
        self._links = Links(())
        self._api_url: str | None = None
        self._ticket = ""
        self._postgres: Postgres | None = None
        self._superuser: Superuser | None = None
        self._sessions: Sessions | None = None
        self._rising: asyncio.Task[None] | None = None
        self._scaling = asyncio.Lock()

    @property
    def _fields(self) -> dict[str, str]:
        # Read when they are needed: the witness listens only when the run begins.
        return {"host": HOST, "python": sys.executable, **self._given}

    # ------------------------------------------------------------ up and down

    async def up(self, services: Sequence[Service]) -> None:
        """Start the services in order, each when the one before is ready. Raises StartError.

        When it fails or is cancelled, what it had started is taken down again.
        """
        if self._keepers or self._rising is not None:
            raise UsageError("this platform is up already")
        self._rising = asyncio.create_task(self._rise(services), name="local platform: up")
        try:
            await asyncio.wait({self._rising})
            if self._rising.cancelled():
                raise StartError("the platform was taken down while it was starting")
            self._rising.result()
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Stop everything that was started, whatever state it is in; may be called again.

        It goes on to its end when its caller is cancelled, and the cancellation is passed on afterwards.
        """
        await to_the_end(self._down())

    def leave(self) -> Path:
        """Let go of everything and leave it running; returns the folder that :func:`remove_place` ends it by.

        Nothing is restarted any more. Only for a platform whose instances outlive capsize.
        """
        database = self._plan.of_role("database")
        if not self._outlives or self._place is None or database is None:
            raise UsageError("only a stack that is up and was made to outlive capsize can be left")
        for keeper in self._keepers.values():
            keeper.let_go()
        if self._harm is not None:
            self._harm.leave()
        self._links.let_go()
        owner = self._keepers[instance_name(database, 1)].instance.pid
        if owner is not None:
            hand_over(self._place, owner)
        self._guard.after(self._ticket)
        place = self._place
        self._reset()
        return place

    # ------------------------------------------------------------ what there is

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances that should exist, in order of their services and numbers."""
        return tuple(
            keeper.instance for keeper in self._keepers.values() if service in (None, keeper.service)
        )

    @property
    def api_url(self) -> str:
        """Return the address of the first API instance, through its proxy if clients have one."""
        url = self._api_url or self._plan.api_url
        if url is None:
            raise UsageError("no API with a port is running on this platform")
        return url

    @property
    def database_url(self) -> str:
        """Return the address of the database for the service's own user."""
        if self._postgres is None:
            raise UsageError("no database is running on this platform")
        return self._postgres.url

    @property
    def superuser_url(self) -> str | None:
        """Return the address of the database for its superuser, if there is a database."""
        return None if self._postgres is None else self._postgres.super_url

    @property
    def place(self) -> Path | None:
        """Return the temporary folder of the stack, while there is one."""
        return self._place

    # ------------------------------------------------------------ abilities

    async def kill(self, instance: str) -> None:
        """Send SIGKILL to all processes of an instance and return when they are gone."""
        await self._keeper(instance).kill()

    async def terminate(self, instance: str) -> None:
        """Ask an instance to end (SIGTERM; PostgreSQL: SIGINT) and return when it is gone."""
        await self._keeper(instance).terminate()

    async def stop(self, instance: str, *, hard: bool = False) -> None:
        """Stop an instance and keep it down until ``start``."""
        await self._keeper(instance).stop(hard=hard)

    async def start(self, instance: str) -> None:
        """Have an instance up and return when it is ready; nothing when it is."""
        await self._keeper(instance).start()

    async def pause(self, instance: str) -> None:
        """Freeze all processes of an instance and return when every one stands still."""
        await self._keeper(instance).pause()

    async def resume(self, instance: str) -> None:
        """Let a frozen instance go on."""
        await self._keeper(instance).resume()

    async def scale(self, service: str, replicas: int) -> None:
        """Start instances side by side, or stop the highest ones gracefully, until there are so many."""
        found = self._plan.service(service)
        if found.role in ("database", "job") or replicas < 0:
            raise UsageError(f"{service!r} (a {found.role}) can't be scaled to {replicas}")
        async with self._scaling:
            present = [keeper.name for keeper in self._keepers.values() if keeper.service == service]
            surplus = present[replicas:]
            await side_by_side(self._keepers[name].stop() for name in surplus)
            for name in surplus:
                del self._keepers[name]
            numbers = range(len(present) + 1, replicas + 1)
            await self._detour(found, numbers)
            await self._lay(found, numbers)
            fresh = [self._add(found, number) for number in numbers]
            await side_by_side(keeper.start() for keeper in fresh)

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the database's superuser. Raises InjectionError."""
        if self._superuser is None:
            raise InjectionError("no database is running on this platform")
        return await self._superuser.query(sql, args)

    async def connect(self, label: str, *, as_service: bool = False) -> PostgresSession:
        """Open one more session on the database; it stays until ``disconnect``."""
        if self._sessions is None:
            raise InjectionError("no database is running on this platform")
        return await self._sessions.connect(label, as_service=as_service)

    async def disconnect(self, label: str) -> None:
        """End all sessions under a label and return when they are gone."""
        if self._sessions is not None:
            await self._sessions.disconnect(label)

    def routes(self) -> tuple[Route, ...]:
        """Return the connections that go through a proxy."""
        return self._links.routes()

    async def proxy(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the proxy's control API. Raises InjectionError."""
        return await self._links.call(method, path, body)

    # ------------------------------------------------------------ inside

    async def _rise(self, services: Sequence[Service]) -> None:
        for path in await asyncio.to_thread(stale_places):
            # Somebody else's: what can't be removed is no reason not to start.
            with suppress(CapsizeError):
                await asyncio.to_thread(remove_place, path)
        self._plan = Plan.of(services, self._fields)
        self._place, self._ticket = make_place(self._guard)
        self._plan.files = self._place / "files"
        self._harm = Harm(self._place, self._guard, self._record, self._clock, outlives=self._outlives)
        self._harm.names.know(*(service.name for service in services))
        self._links = Links(
            self._linked,
            seed=self._seed,
            log=self._directory / "proxy.log" if self._linked else None,
            env={MARK: str(self._place)},
            outlives=self._outlives,
        )
        for service in services:
            if service.role == "database":
                await self._start_database(service)
            elif service.role == "job":
                await Job(
                    service.name, self._recipe(service, 1), self._log(service.name), self._record, self._clock
                ).run()
            else:
                numbers = range(1, service.replicas + 1)
                await self._detour(service, numbers)
                await self._lay(service, numbers)
                keepers = [self._add(service, number) for number in numbers]
                await side_by_side(keeper.start(first=True) for keeper in keepers)

    async def _start_database(self, service: Service) -> None:
        port, name = self._plan.port(service, 1), instance_name(service, 1)
        if self._postgres is not None or service.replicas != 1 or port is None or self._place is None:
            raise StartError("the local platform runs one PostgreSQL with one instance")
        self._postgres = Postgres(service, self._place, port, self._log(name))
        recipe = await self._postgres.make()
        await self._lay(service, (1,), self._postgres)
        await self._add(service, 1, recipe).start(first=True)
        await self._postgres.give()
        self._superuser = Superuser(self._postgres.super_url)
        self._sessions = Sessions(self._postgres.super_url, self._postgres.url, self.query)
        self._plan.database_url = self._postgres.url

    async def _detour(self, service: Service, numbers: Iterable[int]) -> None:
        """Lay the proxies that the connections of these instances go through, and those that clients reach them by."""
        database, plan = self._plan.of_role("database"), self._plan
        for number in numbers:
            source = instance_name(service, number), service.name
            told = plan.detours.setdefault(source[0], {})
            if database is not None and plan.database_url is not None:
                target = instance_name(database, 1), database.name
                told["database_url"] = await self._links.through(source, target, plan.database_url)
            if "witness_url" in self._fields:
                url = self._fields["witness_url"]
                told["witness_url"] = await self._links.through(source, (WITNESS, WITNESS), url)
            if service.role == "api" and number == 1 and plan.api_url is not None:
                self._api_url = await self._links.through((CLIENT, CLIENT), source, plan.api_url)

    async def _lay(self, service: Service, numbers: Iterable[int], database: Postgres | None = None) -> None:
        """Lay what these instances need to be harmed while they run."""
        if self._harm is None:
            return
        for number in numbers:
            name = instance_name(service, number)
            if database is not None:
                await self._harm.lay(service, name, database.data, database.user)
            else:
                folder = self._plan.folder(service, number) if "disk" in service.prepared else None
                await self._harm.lay(service, name, folder)

    def _add(self, service: Service, number: int, recipe: Recipe | None = None) -> Keeper:
        name = instance_name(service, number)
        self._keepers[name] = Keeper(
            name,
            service.name,
            self._plan.port(service, number),
            self._equipped(name, replace(recipe or self._recipe(service, number), outlives=self._outlives)),
            self._log(name),
            self._record,
            self._clock,
            self._policy,
            self._guard,
        )
        return self._keepers[name]

    def _equipped(self, name: str, recipe: Recipe) -> Recipe:
        return recipe if self._harm is None else self._harm.equip(name, recipe)

    def _recipe(self, service: Service, number: int) -> Recipe:
        name = instance_name(service, number)
        return Recipe(
            command=self._plan.command(service, number),
            env=self._plan.env(service, number) | {MARK: str(self._place)},
            look=_look(service.ready, self._plan.port(service, number), self._log(name), name),
            ready_limit_s=service.ready.limit_s,
            stop_grace_s=service.stop_grace_s,
            restart=service.restart,
            cwd=None if service.folder is None else Path(service.folder),
        )

    def _log(self, name: str) -> InstanceLog:
        return self._logs.setdefault(name, InstanceLog(self._directory / f"{name}.log"))

    def _keeper(self, instance: str) -> Keeper:
        if instance not in self._keepers:
            raise UsageError(f"there is no instance {instance!r}. Known: {', '.join(self._keepers)}")
        return self._keepers[instance]

    async def _down(self) -> None:
        if self._rising is not None and not self._rising.done():
            self._rising.cancel()
            await asyncio.wait({self._rising})
        if self._superuser is not None:
            self._superuser.drop()
        if self._sessions is not None:
            self._sessions.drop()
        database = self._plan.of_role("database")
        last = None if database is None else database.name
        try:
            await side_by_side(self._end(k) for k in self._keepers.values() if k.service != last)
            await side_by_side(self._end(k) for k in self._keepers.values() if k.service == last)
        finally:
            await self._links.close()
            try:
                if self._harm is not None:
                    await self._harm.clear()
            finally:
                if self._place is not None:
                    await asyncio.to_thread(remove_place, self._place)
                    self._guard.after(self._ticket)
                self._reset()

    async def _end(self, keeper: Keeper) -> None:
        await keeper.stop(grace_s=DOWN_GRACE_S)


def _look(ready: Ready, port: int | None, log: InstanceLog, name: str) -> Look:
    if ready.http is not None:
        if port is None:
            raise StartError(f"{name} is to be looked at by HTTP, but it has no port")
        return http_ok(port, ready.http)
    return log_line(log, ready.log) if ready.log is not None else at_once()
