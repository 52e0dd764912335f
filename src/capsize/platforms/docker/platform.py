"""The Docker platform: containers of an engine on this machine, on a network of the run."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from capsize.core.clock import Clock
from capsize.core.errors import InjectionError, StartError, UsageError
from capsize.core.events import Noted
from capsize.core.experiment import Link
from capsize.core.platform import Container, Instance, Service
from capsize.core.protocols import Record
from capsize.core.undo import Containers, Guard
from capsize.guardian import Unguarded
from capsize.platforms.docker.abilities import Abilities
from capsize.platforms.docker.box import Box
from capsize.platforms.docker.database import Database
from capsize.platforms.docker.engine import Engine, EngineError, connect
from capsize.platforms.docker.ground import clear, clear_stale, make_network
from capsize.platforms.docker.images import Images, ensure
from capsize.platforms.docker.left import leave
from capsize.platforms.docker.limits import ContainerLimits
from capsize.platforms.docker.marks import Marks
from capsize.platforms.docker.news import News, Wire
from capsize.platforms.docker.order import Order, http_health
from capsize.platforms.links import CLIENT, WITNESS, Links
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.looks import Look, at_once, http_ok, log_line
from capsize.platforms.local.plan import Plan, instance_name
from capsize.platforms.local.postgres import Superuser
from capsize.platforms.local.waits import side_by_side, to_the_end
from capsize.platforms.netns import Shaper
from capsize.platforms.sessions import Sessions

DOWN_GRACE_S = 2.0
"""How long an instance may take to end by itself when everything is taken down: nothing counts any more."""

PLACES = {"host": "0.0.0.0", "python": "python3"}


class DockerPlatform(Abilities):
    """Runs services and a PostgreSQL as containers; nothing of them is left after ``down``.

    ``directory`` gets one log file per instance. ``fields`` fill places in commands and environments beside
    ``{port}``, ``{instance}``, ``{database_url}``, ``{api_url}``, ``{host}`` and ``{python}``. A container is restarted
    by the engine's own policy; instances are reached from here on ports of loopback, and reach each other by their
    names. ``links`` are the connections that go through a proxy of this machine, whose draws come from ``seed``.
    """

    name = "docker"

    def __init__(
        self,
        directory: Path,
        record: Record,
        clock: Clock,
        fields: Mapping[str, str],
        *,
        guard: Guard | None = None,
        links: Sequence[Link] = (),
        seed: int = 0,
        outlives: bool = False,
        images: Images | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._directory, self._record, self._clock, self._fields = directory, record, clock, fields
        self._guard = guard or Unguarded()
        self._linked, self._seed, self._given_images = tuple(links), seed, images
        self._outlives = outlives
        self._engine = engine or connect()
        self._limits = ContainerLimits(self._engine)
        self._reset()

    def _reset(self) -> None:
        self._marks: Marks | None = None
        self._gateway: str | None = None
        self._ticket = ""
        self._wire: Wire | None = None
        self._images = self._given_images
        self._plan = Plan((), {})
        self._boxes: dict[str, Box] = {}
        self._jobs: dict[str, Box] = {}
        self._logs: dict[str, InstanceLog] = {}
        self._links = Links(())
        self._shaper = Shaper(self._guard)
        self._api_url: str | None = None
        self._database: Database | None = None
        self._superuser: Superuser | None = None
        self._sessions: Sessions | None = None
        self._rising: asyncio.Task[None] | None = None
        self._scaling = asyncio.Lock()

    # ------------------------------------------------------------ up and down

    async def bridge(self) -> str:
        """Make the network of the run, if it is not there yet, and return this machine's address on it."""
        if self._gateway is None:
            marks = self._marks = Marks.draw(outlives=self._outlives)
            self._ticket = self._guard.before(Containers(label=marks.label))
            self._gateway = await self._engine.ask(make_network, self._engine.client, marks)
        return self._gateway

    async def up(self, services: Sequence[Service]) -> None:
        """Start the services in order, each when the one before is ready. Raises StartError.

        When it fails or is cancelled, what it had started is taken down again.
        """
        if self._boxes or self._rising is not None:
            raise UsageError("this platform is up already")
        self._rising = asyncio.create_task(self._rise(services), name="docker platform: up")
        try:
            await asyncio.wait({self._rising})
            if self._rising.cancelled():
                raise StartError("the platform was taken down while it was starting")
            self._rising.result()
        except EngineError as error:
            await self.down()
            raise StartError(f"the Docker engine: {error}") from error
        except BaseException:
            await self.down()
            raise

    async def down(self) -> None:
        """Stop and remove everything that was made, whatever state it is in; may be called again.

        It goes on to its end when its caller is cancelled, and the cancellation is passed on afterwards.
        """
        await to_the_end(self._down())

    def leave(self) -> Path:
        """Let go of everything and leave it running; returns the folder by which ``capsize down --run`` ends it.

        The engine goes on restarting what exits. Only for a platform that was made to outlive capsize.
        """
        if not self._outlives or self._marks is None or not self._boxes:
            raise UsageError("only a stack that is up and was made to outlive capsize can be left")
        place = leave(self._marks.label)
        for box in self._boxes.values():
            box.let_go()
        if self._wire is not None:
            self._wire.close()
        for session in (self._superuser, self._sessions):
            if session is not None:
                session.drop()
        self._links.let_go()
        self._guard.after(self._ticket)
        self._reset()
        return place

    # ------------------------------------------------------------ what there is

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances that should exist, in order of their services and numbers."""
        return tuple(box.instance for box in self._boxes.values() if service in (None, box.service))

    @property
    def api_url(self) -> str:
        """Return the address of the first API instance, through its proxy if clients have one."""
        url = self._api_url or self._plan.api_url
        if url is None:
            raise UsageError("no API with a port is running on this platform")
        return url

    @property
    def database_url(self) -> str:
        """Return the address of the database for the service's own user, from this machine."""
        if self._database is None:
            raise UsageError("no database is running on this platform")
        return self._database.url

    @property
    def superuser_url(self) -> str | None:
        """Return the address of the database for its superuser; None without a database."""
        return None if self._database is None else self._database.super_url

    @property
    def label(self) -> str | None:
        """Return the label that everything of the run bears, while there is something."""
        return None if self._marks is None else self._marks.label

    # ------------------------------------------------------------ size

    async def scale(self, service: str, replicas: int) -> None:
        """Start instances side by side, or stop the highest ones gracefully, until there are so many."""
        found = self._plan.service(service)
        if found.role in ("database", "job") or replicas < 0:
            raise UsageError(f"{service!r} (a {found.role}) can't be scaled to {replicas}")
        async with self._scaling:
            present = [box.name for box in self._boxes.values() if box.service == service]
            await side_by_side(self._take_away(name) for name in present[replicas:])
            numbers = range(len(present) + 1, replicas + 1)
            await self._detour(found, numbers)
            await side_by_side(box.start() for box in [self._add(found, number) for number in numbers])

    # ------------------------------------------------------------ inside

    async def _rise(self, services: Sequence[Service]) -> None:
        client = self._engine.client
        await self._engine.ask(clear_stale, client)
        if self._images is None and any(one.image is None for one in services):
            loop = asyncio.get_running_loop()
            # Images are made in a thread, and the journal belongs to the event loop.

            def note(message: str) -> None:
                loop.call_soon_threadsafe(self._note, message)

            self._images = await self._engine.ask(ensure, client, note)
        gateway = await self.bridge()
        await self._make_volumes(services)
        self._plan = Plan.of(services, PLACES | dict(self._fields))
        if self._linked:
            log = self._directory / "proxy.log"
            token = secrets.token_hex(16)
            self._links = Links(self._linked, seed=self._seed, host=gateway, token=token, log=log)
        if self._marks is not None:
            self._wire = Wire(self._engine, self._marks.label, self._clock, self._hear)
            await self._wire.open()
        for service in services:
            if service.role == "database":
                await self._start_database(service)
                continue
            numbers = range(1, service.replicas + 1)
            await self._detour(service, numbers)
            if service.role == "job":
                job = self._jobs[service.name] = self._box_of(service, 1)
                await job.run()
            else:
                boxes = [self._add(service, number) for number in numbers]
                await side_by_side(box.start(first=True) for box in boxes)

    async def _make_volumes(self, services: Sequence[Service]) -> None:
        """Make the volumes that services share by their names, before any container would make them unmarked."""
        mounted = [
            one.container.mounts for one in services if one.container is not None and one.role != "database"
        ]
        for source in sorted({name for mounts in mounted for name in mounts.values() if name}):
            if self._marks is not None:
                volumes = self._engine.client.volumes
                await self._engine.ask(
                    volumes.create, name=self._marks.name(source), labels=self._marks.labels
                )

    async def _start_database(self, service: Service) -> None:
        port, name = self._plan.port(service, 1), instance_name(service, 1)
        if self._database is not None or service.replicas != 1 or port is None or self._marks is None:
            raise StartError("the docker platform runs one PostgreSQL with one instance")
        database = self._database = Database(service, name, port, self._marks)
        volumes = self._engine.client.volumes
        await self._engine.ask(volumes.create, name=database.volume, labels=self._marks.labels)
        image = "" if self._images is None else self._images.postgres
        box = self._boxes[name] = self._new_box(service, name, port, database.order(image))
        await box.start(first=True)
        await database.give()
        self._superuser = Superuser(database.super_url)
        self._sessions = Sessions(database.super_url, database.url, self.query)
        self._plan.database_url = database.url

    async def _detour(self, service: Service, numbers: Iterable[int]) -> None:
        """Tell instances by which addresses they reach the others from inside, through proxies where they are wanted."""
        api = self._plan.of_role("api")
        for number in numbers:
            name = instance_name(service, number)
            source = name, service.name
            told = self._plan.detours.setdefault(name, {})
            if self._database is not None:
                target = self._database.name, self._database.service.name
                told["database_url"] = await self._way(
                    source, target, self._database.url, self._database.url_inside
                )
            if "witness_url" in self._fields:
                url = self._fields["witness_url"]
                told["witness_url"] = await self._way(source, (WITNESS, WITNESS), url, url)
            if api is not None and (port := self._plan.port(api, 1)) is not None:
                inside = (api.container.port if api.container else None) or port
                told["api_url"] = f"http://{instance_name(api, 1)}:{inside}"
            if service.role == "api" and number == 1 and self._plan.api_url is not None:
                self._api_url = await self._links.through((CLIENT, CLIENT), source, self._plan.api_url)

    async def _way(self, source: tuple[str, str], target: tuple[str, str], here: str, inside: str) -> str:
        """Return an address for a container: that of a proxy on the gateway if one is wanted, else the plain one."""
        if not self._links.wanted(source[1], target[1]):
            return inside
        return await self._links.through(source, target, here)

    def _add(self, service: Service, number: int) -> Box:
        box = self._boxes[instance_name(service, number)] = self._box_of(service, number)
        return box

    def _box_of(self, service: Service, number: int) -> Box:
        name, port = instance_name(service, number), self._plan.port(service, number)
        if self._marks is None:
            raise StartError("the network of the run is gone")
        own = service.container or Container(own_entry=not service.command)
        inside = own.port or port
        order = Order(
            name=self._marks.name(name),
            image=service.image or ("" if self._images is None else self._images.starter),
            network=self._marks.name(),
            aliases=(name, service.name, *own.names),
            labels=self._marks.of(name, service.name),
            look=self._look(service, port, name),
            command=self._plan.command(service, number),
            env={"PYTHONUNBUFFERED": "1", **self._plan.env(service, number)},
            publish=None if port is None or inside is None else (inside, port),
            # Of an image that is not ours nobody knows what is in it, and its own start may be all that there is.
            health=http_health(port, service.ready.http)
            if port and service.ready.http and service.image is None
            else (),
            own_entry=own.own_entry,
            mounts={at: source and self._marks.name(source) for at, source in own.mounts.items()},
            more=own.more,
            cpu=service.cpu,
            memory=service.memory,
            stop_grace_s=service.stop_grace_s,
            ready_limit_s=service.ready.limit_s,
            restart=service.restart and service.role != "job",
        )
        return self._new_box(service, name, port, order)

    def _new_box(self, service: Service, name: str, port: int | None, order: Order) -> Box:
        log = self._log(name)
        return Box(name, service.name, port, order, log, self._engine, self._record, self._clock)

    def _look(self, service: Service, port: int | None, name: str) -> Look:
        ready = service.ready
        if ready.http is not None:
            if port is None:
                raise StartError(f"{name} is to be looked at by HTTP, but it has no port")
            return http_ok(port, ready.http)
        if ready.healthy:
            return self._healthy(name)
        return log_line(self._log(name), ready.log) if ready.log is not None else at_once()

    def _healthy(self, name: str) -> Look:
        """Return a look at what the container's own health check says."""

        async def look() -> bool:
            box = self._boxes.get(name)
            if box is None or box.container is None:
                return False
            try:
                await self._engine.ask(box.container.reload)
            except EngineError:
                return False
            health: dict[str, object] = box.container.attrs["State"].get("Health") or {}
            return health.get("Status") == "healthy"

        return look

    def _log(self, name: str) -> InstanceLog:
        return self._logs.setdefault(name, InstanceLog(self._directory / f"{name}.log"))

    def _hear(self, news: News) -> None:
        box = self._boxes.get(news.instance) or self._jobs.get(news.instance)
        if box is not None:
            box.hear(news)

    def _note(self, message: str) -> None:
        self._record(Noted(t=self._clock.now(), level="info", message=message))

    async def _take_away(self, name: str) -> None:
        box = self._boxes[name]
        await box.stop()
        await box.remove()
        del self._boxes[name]

    async def _down(self) -> None:
        if self._rising is not None and not self._rising.done():
            self._rising.cancel()
            await asyncio.wait({self._rising})
        if self._superuser is not None:
            self._superuser.drop()
        if self._sessions is not None:
            self._sessions.drop()
        boxes = [*self._boxes.values(), *self._jobs.values()]
        last = None if self._database is None else self._database.service.name
        try:
            await side_by_side(self._end(box) for box in boxes if box.service != last)
            await side_by_side(self._end(box) for box in boxes if box.service == last)
        finally:
            await self._shaper.close()
            await self._links.close()
            if self._wire is not None:
                self._wire.close()
            if self._marks is not None:
                await self._engine.ask(clear, self._engine.client, self._marks.label)
                self._guard.after(self._ticket)
            self._reset()

    async def _end(self, box: Box) -> None:
        with suppress(EngineError, InjectionError):
            await box.stop(grace_s=DOWN_GRACE_S)
        await box.remove()
