"""What the nouns can do: the small protocols that the parts of capsize meet at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec

from capsize.core.clock import Clock
from capsize.core.events import DependencyMode, Event, Outcome, Reported
from capsize.core.history import History
from capsize.core.verdict import Result

Record = Callable[[Event], None]
"""Writes an event down; returns at once, never raises."""


# ---------------------------------------------------------------- services and platforms


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """How to see that an instance is ready: an HTTP path that answers 200, or a text in its log.

    Neither given: ready as soon as its process runs. ``limit_s`` bounds the wait.
    """

    http: str | None = None
    log: str | None = None
    limit_s: float = 30.0


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service of a system: how its instances are started, and when they count as ready.

    ``command`` and the values of ``env`` may hold the fields ``{port}``, ``{instance}``, ``{database_url}``,
    ``{witness_url}`` and ``{api_url}``; the platform fills them in. ``role`` ``database`` asks the platform
    for a PostgreSQL of its own (``command`` is then empty), ``job`` is run once to its end before the
    services after it in order are started. ``port`` 0 asks for a free one, None for none. A restarted
    instance keeps its name and port. ``cpu`` (cores) and ``memory`` (bytes) are limits where the platform has them.
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
class Queryable(Protocol):
    """Can run a statement on the database, beside the service and through no proxy."""

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the database's superuser and return its rows. Raises InjectionError."""
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


# ---------------------------------------------------------------- HTTP


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request to the service's API; ``body`` is JSON text or empty."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. Header names are lower case."""

    status: int
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """How one request came out, with the run's times: the answer, or what went wrong.

    ``reached`` is False only when it is certain that no byte of the request reached the service (connection
    refused): then the request had no effect. ``timed_out`` and other errors with ``reached`` True are
    indeterminate.
    """

    sent: float
    done: float
    response: Response | None = None
    error: str | None = None
    reached: bool = True


Send = Callable[[Request, float], Awaitable[Exchange]]
"""Carries out a request within a limit in seconds; never raises for what the network does."""


# ---------------------------------------------------------------- systems


class TaskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A task that capsize wants the service to run. ``key`` makes repeating the submission safe."""

    type: str
    payload: dict[str, Any]
    key: str
    priority: int | None = None
    max_attempts: int | None = None


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of the service's API that must succeed in the steady state, and the statuses that say so."""

    name: str
    request: Request
    expect: tuple[int, ...] = (200,)


class System(Protocol):
    """What is tested: how its services start, and how a client speaks to it. No state of a run in it."""

    name: str

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return the services in the order in which they start.

        ``settings`` are the experiment's: ``lease_s`` is how long a dead worker keeps its task,
        ``breaker_failures`` how many failures in a row open a circuit and ``breaker_open_s`` for how long,
        ``retry_base_s`` how long the second attempt waits; names in capitals are environment variables for
        the service's processes.
        """
        ...

    async def login(self, send: Send, name: str) -> tuple[tuple[str, str], ...]:
        """Make a user if need be, log in, and return the headers that authenticate. Raises StartError."""
        ...

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        """Return a task that takes so long and does nothing else."""
        ...

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:
        """Return a task that calls a URL and fails unless it is answered 2xx in time; None: there is no such type."""
        ...

    def unknown_order(self, key: str) -> TaskOrder | None:
        """Return a task of a type that no worker knows; None when the service does not accept such a task."""
        ...

    def submit(self, order: TaskOrder, auth: tuple[tuple[str, str], ...]) -> Request:
        """Return the request that submits a task."""
        ...

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        """Tell how a submission came out, with the task's id when it was accepted."""
        ...

    def cancel(self, task: str, auth: tuple[tuple[str, str], ...]) -> Request:
        """Return the request that cancels a task; 200 confirms it, 4xx says that it was too late."""
        ...

    async def audit(
        self, send: Send, auth: tuple[tuple[str, str], ...], tasks: Sequence[str]
    ) -> tuple[Reported, ...]:
        """Ask the service for its final word on tasks. ``t`` of the answers is 0; the caller stamps them."""
        ...

    def ready(self) -> Request:
        """Return the availability probe: it answers 200 only when the API can do real work."""
        ...

    def stats(self) -> Request:
        """Return the request for the task counts."""
        ...

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        """Read the task counts (``created``, ``pending`` ...) from an answer to ``stats``; None if it is none."""
        ...

    def breakers(self, auth: tuple[tuple[str, str], ...]) -> Request | None:
        """Return the request for the circuits' states; None when the service does not show them."""
        ...

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        """Read ``closed``, ``open`` or ``half_open`` by task type from an answer to ``breakers``; None if it is none.

        A type that is not listed has a closed circuit.
        """
        ...

    def api_calls(self, auth: tuple[tuple[str, str], ...]) -> tuple[ApiCall, ...]:
        """Return harmless calls over the whole API, for the load that measures its success rate."""
        ...


# ---------------------------------------------------------------- what a run offers to its parts


class Progress(Protocol):
    """What the run knows of the tasks at this moment, for loads that wait and strikes that aim."""

    def acknowledged(self) -> frozenset[str]:
        """Return the ids of the tasks that the service accepted."""
        ...

    def over(self) -> frozenset[str]:
        """Return the ids of tasks that need no more work: recorded at the witness, or final at the service."""
        ...

    def busy(self) -> frozenset[str]:
        """Return the workers that are inside a task, by the witness."""
        ...


class Stage(Protocol):
    """A running system as the loads, probes and faults see it."""

    @property
    def clock(self) -> Clock:
        """Return the run's clock."""
        ...

    @property
    def record(self) -> Record:
        """Return the function that writes an event down."""
        ...

    @property
    def system(self) -> System:
        """Return what is tested."""
        ...

    @property
    def platform(self) -> Platform:
        """Return where it runs."""
        ...

    @property
    def progress(self) -> Progress:
        """Return what is known of the tasks so far."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed that every draw comes from."""
        ...

    @property
    def auth(self) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate capsize's user."""
        ...

    @property
    def dependency(self) -> Dependable | None:
        """Return the outside service that tasks can call, if the system can reach one."""
        ...


class Load(Protocol):
    """Who sends what at which rate. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]

    @property
    def finite(self) -> bool:
        """Return whether it ends by itself; a phase that waits for all work to be over waits for it."""
        ...

    async def run(self, stage: Stage) -> None:
        """Send until done or cancelled; what is in flight when cancelled is recorded as ``info``."""
        ...


@runtime_checkable
class Demanding(Protocol):
    """A load that not every system can be put under."""

    def lacks(self, system: System) -> str | None:
        """Return what the system lacks for it, as the rest of "it has no ..."; None when nothing."""
        ...


class Probe(Protocol):
    """One kind of look at the system. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]

    async def run(self, stage: Stage) -> None:
        """Look again and again until cancelled, and record each look."""
        ...


class Fault(Protocol):
    """How to break instances, and how to heal them. A frozen Struct whose fields are its configuration."""

    name: ClassVar[str]
    requires: ClassVar[tuple[type, ...]]

    async def strike(self, platform: Any, victims: Sequence[str]) -> None:
        """Break them and return when the effect was seen. Raises InjectionError."""
        ...

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """Undo it and return when the victims are back as they were; may be called twice, or without a strike."""
        ...


class Checker(Protocol):
    """One claim about a history. A frozen Struct whose fields are its configuration; pure."""

    name: ClassVar[str]

    def check(self, history: History) -> Result:
        """Judge the history. What it raises makes the claim UNKNOWN."""
        ...
