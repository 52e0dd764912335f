"""Services, instances, and what a platform can do with them, each ability a small protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from capsize.core.events import DependencyMode

Preparation = Literal["clock", "disk", "names"]
"""What must be laid when a service starts so that it can be broken while it runs; it costs, so it is asked for."""

DiskOperation = Literal["read", "write", "sync"]

NameTrouble = Literal["nxdomain", "servfail", "hang"]
"""How a name is not resolved: there is no such name, the server fails, or it never answers."""


DOMAIN = "capsize.test"
"""The domain of the names by which a service that was prepared for ``names`` knows others; reserved by RFC 6761."""


def name_of(part: str) -> str:
    """Return the host name of a part of the system for a service that was prepared for ``names``."""
    return f"{part}.{DOMAIN}"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """How to see that an instance is ready: an HTTP path that answers 200, a text in its log, or ``healthy``: its
    container's own health check.

    None given: ready as soon as its process runs. ``limit_s`` bounds the wait.
    """

    http: str | None = None
    log: str | None = None
    healthy: bool = False
    limit_s: float = 30.0


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What the container of a service has beside the service itself, where there are containers.

    ``port`` is where it listens inside; None: the instance's own. ``names`` are further names by which others reach
    it. ``own_entry`` keeps the image's entry point before the command. ``mounts`` maps folders to volumes of the run,
    by their names in the project; without a name a folder has one of its own. ``more`` is in the words of the
    engine's client.
    """

    port: int | None = None
    names: tuple[str, ...] = ()
    own_entry: bool = True
    mounts: dict[str, str] = msgspec.field(default_factory=dict)
    more: dict[str, Any] = msgspec.field(default_factory=dict)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service of a system: how its instances are started, and when they count as ready.

    ``command`` and the values of ``env`` may hold the fields ``{port}``, ``{instance}``, ``{database_url}``,
    ``{witness_url}``, ``{api_url}``, ``{host}`` (the address to listen on), ``{python}`` (the Python that runs
    a service), ``{data}`` (a folder of the instance's own) and, for another service with a port, ``{redis_host}`` and
    ``{redis_port}``; the platform fills them in. ``role`` ``database`` asks the platform
    for a PostgreSQL of its own (``command`` is then empty), ``job`` is run once to its end before the
    services after it in order are started. ``port`` 0 asks for a free one, None for none. A restarted
    instance keeps its name and port. ``cpu`` (cores) and ``memory`` (bytes) are limits where the platform has them.
    ``image`` is what its containers are made from, where there are containers; None: the platform knows one.
    ``folder`` is where its processes work, on the local platform; None: where capsize does.
    ``container`` is what is peculiar to its containers.
    ``prepared`` names what its instances are started ready for; the runner fills it in from the plan's faults.
    """

    name: str
    role: Literal["database", "job", "api", "worker", "other"]
    command: tuple[str, ...] = ()
    env: dict[str, str] = msgspec.field(default_factory=dict)
    replicas: int = 1
    port: int | None = None
    ready: Ready = Ready()
    restart: bool = True
    stop_grace_s: float = 10.0
    cpu: float | None = None
    memory: int | None = None
    image: str | None = None
    folder: str | None = None
    container: Container | None = None
    prepared: tuple[Preparation, ...] = ()


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One running instance: its name (``worker-1``), its service, its process and its address, as of now."""

    name: str
    service: str
    pid: int | None
    host: str = "127.0.0.1"
    port: int | None = None
    ready: bool = False


class Platform(Protocol):
    """Where instances live. Everything that it starts is gone after ``down``, whatever happened."""

    name: str

    async def up(self, services: Sequence[Service]) -> None:
        """Start the services in order, each when the one before is ready. Raises StartError."""
        ...

    async def down(self) -> None:
        """Stop everything that was started; may be called at any time, and again."""
        ...

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances that should exist (also those down just now), in order of their names."""
        ...

    @property
    def api_url(self) -> str:
        """Return the address of the service's API, ``http://host:port``."""
        ...

    @property
    def database_url(self) -> str:
        """Return the address of the database for the service and for probes."""
        ...


@runtime_checkable
class Bridged(Protocol):
    """Has instances that can't reach this machine's loopback, and lays a way by which they reach capsize."""

    async def bridge(self) -> str:
        """Lay it, if it is not there yet, and return capsize's address on it; ``down`` takes it away. Raises StartError."""
        ...


@runtime_checkable
class Killable(Protocol):
    """Can end the process of an instance at once; its restart policy then applies."""

    async def kill(self, instance: str) -> None:
        """Send SIGKILL to all its processes and return when they are gone."""
        ...

    async def terminate(self, instance: str) -> None:
        """Send SIGTERM and return when the process is gone or its grace period is over."""
        ...


@runtime_checkable
class Startable(Protocol):
    """Can take an instance down and keep it down, and bring it up again."""

    async def stop(self, instance: str, *, hard: bool = False) -> None:
        """Stop it (``hard``: SIGKILL) and keep it down until ``start``."""
        ...

    async def start(self, instance: str) -> None:
        """Start it when it is down and return when it is ready; nothing when it is up."""
        ...


@runtime_checkable
class Pausable(Protocol):
    """Can freeze an instance, all its processes together, and let it go on."""

    async def pause(self, instance: str) -> None:
        """Freeze it (SIGSTOP or the like) and return when it stands still."""
        ...

    async def resume(self, instance: str) -> None:
        """Let it go on; nothing when it is not frozen."""
        ...


@runtime_checkable
class Scalable(Protocol):
    """Can change how many instances a service has."""

    async def scale(self, service: str, replicas: int) -> None:
        """Start or gracefully stop instances until there are so many; the highest names go first."""
        ...


@runtime_checkable
class Leavable(Platform, Protocol):
    """Can leave what it started running, for a person to look at."""

    def leave(self) -> Path:
        """Let go of everything and return the folder by which it is ended later; ``down`` does nothing then."""
        ...


@runtime_checkable
class Detachable(Protocol):
    """Can take an instance off the network: it runs, and nobody reaches it, nor it anybody."""

    async def detach(self, instance: str) -> None:
        """Take it off and return when it is; what is under way on its connections vanishes. Raises InjectionError."""
        ...

    async def attach(self, instance: str) -> None:
        """Put it back under its old address; nothing when it is there. Raises InjectionError."""
        ...


@runtime_checkable
class CpuLimitable(Protocol):
    """Can take computing time away from an instance."""

    async def limit_cpu(self, instance: str, cores: float) -> str:
        """Leave it so many cores, its restarts too, and return by which means, in words. Raises InjectionError."""
        ...

    async def free_cpu(self, instance: str) -> None:
        """Give it back what it had; nothing when nothing was taken."""
        ...


@runtime_checkable
class MemoryLimitable(Protocol):
    """Can have the kernel end an instance for want of memory."""

    async def starve(self, instance: str, limit: int | None) -> str:
        """Have it run out of memory and return how that was seen; its restarts get ``limit`` bytes, if given."""
        ...

    async def feed(self, instance: str) -> None:
        """Give it back the memory that it had; nothing when none was taken."""
        ...


@runtime_checkable
class FilesLimitable(Protocol):
    """Can leave an instance without file descriptors while it runs."""

    async def limit_files(self, instance: str, spare: int) -> str:
        """Leave its processes ``spare`` more descriptors than they hold, and return what they have now."""
        ...

    async def free_files(self, instance: str) -> None:
        """Give them the limit back that they had; nothing when it was not changed."""
        ...


@runtime_checkable
class DiskFillable(Protocol):
    """Can fill the disk on which an instance has its data, when the service was prepared for ``disk``."""

    async def fill_disk(self, instance: str) -> str:
        """Leave no room there and return how that was seen. Raises InjectionError."""
        ...

    async def mend_disk(self, instance: str) -> str:
        """Have the disk as it was and return how often it was met; nothing happens when it is well."""
        ...


@runtime_checkable
class DiskBreakable(DiskFillable, Protocol):
    """Can also make that disk fail, or slow."""

    async def break_disk(self, instance: str, operations: tuple[DiskOperation, ...]) -> str:
        """Let these operations fail with an I/O error and return how that was seen. Raises InjectionError."""
        ...

    async def slow_disk(self, instance: str, latency_s: float, bytes_per_s: float | None) -> str:
        """Make each read, write and sync take so long, at most so many bytes a second in all."""
        ...


@runtime_checkable
class ClockSkewable(Protocol):
    """Can move the wall clock of an instance, when the service was prepared for ``clock``."""

    async def skew_clock(self, instance: str, offset_s: float) -> str:
        """Move it, the restarts' too, leave the monotonic clock alone, and return how that was seen."""
        ...

    async def right_clock(self, instance: str) -> None:
        """Have it right again; nothing when it is."""
        ...


@runtime_checkable
class NamesBreakable(Protocol):
    """Can fail the name resolution of an instance, when the service was prepared for ``names``."""

    async def break_names(self, instance: str, how: NameTrouble) -> str:
        """Answer its questions for addresses so, from now on, and return how that was seen."""
        ...

    async def mend_names(self, instance: str) -> str:
        """Answer them again and return how many were met; nothing happens when they are answered."""
        ...


@runtime_checkable
class Selective(Protocol):
    """Has abilities that hang on the machine: the kernel, rights, programs that are installed."""

    def lacks(self, ability: type) -> str | None:
        """Return why an ability is not to be had on this machine; None when it is."""
        ...


@runtime_checkable
class Queryable(Protocol):
    """Can run a statement on the database, beside the service and through no proxy."""

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the database's superuser and return its rows. Raises InjectionError."""
        ...


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A proxied connection: from an instance (or ``client``) to an instance (or ``witness``), with their services.

    ``name`` is that of its proxy, ``source>target``.
    """

    name: str
    source: str
    source_service: str
    target: str
    target_service: str


@runtime_checkable
class Proxied(Protocol):
    """Can put a proxy into the connections that it was told of before it came up."""

    def routes(self) -> tuple[Route, ...]:
        """Return the connections that go through a proxy now."""
        ...

    async def proxy(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the proxy's control API; see ``docs/proxy.md``. Raises InjectionError for any answer but 2xx."""
        ...


@runtime_checkable
class Shapable(Protocol):
    """Can disturb all traffic of an instance, since it has a network namespace of its own."""

    async def shape_network(self, instance: str, **shape: Any) -> str:
        """Disturb it, by the fields of :class:`capsize.platforms.netns.Shape`, and return by which mechanism.

        Raises NotSupported and InjectionError.
        """
        ...

    async def unshape_network(self, instance: str) -> None:
        """Have it as it was; nothing when it is. Raises HealError."""
        ...


@runtime_checkable
class Dependable(Protocol):
    """Is an outside service that the system's tasks call, and can behave as badly as one.

    capsize plays it; a fault that needs it is carried out on it instead of on the platform.
    """

    name: str

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the one instance that it is, unless another service is asked for."""
        ...

    def url_for(self, key: str) -> str:
        """Return the address that the task of a submission is to call."""
        ...

    async def become(self, mode: DependencyMode, *, slow_s: float = 0.0) -> None:
        """Answer so from now on; calls that are waiting are left as they are. Raises InjectionError."""
        ...
