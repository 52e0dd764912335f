"""What ``capsize.toml`` may say, table by table. Everything that is not named here is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Ratio = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Json = dict[str, Any]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The root of all tables."""


class ServiceTable(Table, frozen=True, kw_only=True):
    """One service: ``[services.NAME]``. ``api`` answers HTTP, ``worker`` runs the tasks; others help them.

    ``command`` is a line or a list of words; it and ``env`` may hold ``{port}``, ``{host}``, ``{data}``,
    ``{database_url}``, ``{witness_url}``, ``{instance}``, and ``{redis_port}`` for a service ``redis``. Ready is when
    ``health`` answers 200, or when ``ready_log`` stands in the log. ``job``: it runs once, to its end, before those
    that depend on it. ``port`` 0 asks for a free one.
    """

    command: str | list[str]
    port: Port | None = None
    health: str | None = None
    ready_log: str | None = None
    ready_within_s: Positive = 30.0
    replicas: Count = 1
    env: dict[str, str] = msgspec.field(default_factory=dict)
    depends_on: list[str] = msgspec.field(default_factory=list)
    job: bool = False
    restart: bool = True
    stop_within_s: Positive = 10.0
    folder: str | None = None


class DatabaseTable(Table, frozen=True, kw_only=True):
    """``[database]``: capsize starts a PostgreSQL of the run's own; the service finds it in ``{database_url}``."""

    embedded: Literal[True] = True


class StatusTable(Table, frozen=True, kw_only=True):
    """``[tasks.status]``: how the service says what became of a task.

    ``request`` holds ``{task}``. ``field`` is where the answer has the state, ``states`` which of the service's
    words mean what. An answer 404 means that the service does not know the task.
    """

    request: str
    field: str
    states: dict[Literal["pending", "running", "completed", "failed", "cancelled"], list[str]]


class TasksTable(Table, frozen=True, kw_only=True):
    """``[tasks]``: how a task is submitted, and how its end is known.

    ``submit`` is ``POST /path``. ``body`` and ``headers`` may hold ``{seconds}`` (how long the task is to take) and
    ``{key}`` (the same when a submission is repeated). ``id`` is where the answer has the task's id. ``witness``:
    the workers announce their runs, as ``docs/witness.md`` shows; without it only the service's word is there.
    ``lease_s`` is how long a dead worker keeps its task.
    """

    submit: str
    id: str
    body: Json = msgspec.field(default_factory=dict)
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    accepted: list[int] = msgspec.field(default_factory=lambda: [200, 201, 202])
    witness: bool = True
    keeps_records: bool = True
    lease_s: Positive = 5.0
    status: StatusTable | None = None


class AuthTable(Table, frozen=True, kw_only=True):
    """``[auth]``: headers that every call carries, or a login whose answer has a token.

    ``login`` is ``POST /path``, sent with ``body``; ``token`` is where the answer has the token, which ``headers`` may
    hold as ``{token}``.
    """

    headers: dict[str, str] = msgspec.field(default_factory=dict)
    login: str | None = None
    body: Json = msgspec.field(default_factory=dict)
    token: str | None = None


class CallTable(Table, frozen=True, kw_only=True):
    """``[[calls]]``: a call that must succeed in the steady state; they make the load on the API."""

    name: str
    request: str
    expect: list[int] = msgspec.field(default_factory=lambda: [200])
    body: Json | None = None


class PromisesTable(Table, frozen=True, kw_only=True):
    """``[promises]``: which claims are not made, and which thresholds replace the level's."""

    ignore: list[str] = msgspec.field(default_factory=list)
    recovery_target_s: Positive | None = None
    recovery_limit_s: Positive | None = None
    api_success_min: Ratio | None = None
    completion_min: Ratio | None = None


class LevelTable(Table, frozen=True, kw_only=True):
    """``[levels.N]``: figures of a level that are replaced."""

    workers: Count | None = None
    tasks: Count | None = None
    task_delay_s: Positive | None = None
    deadline_s: Positive | None = None
    interval_s: tuple[Positive, Positive] | None = None


class Description(Table, frozen=True, kw_only=True):
    """The whole file."""

    services: dict[str, ServiceTable]
    name: str = ""
    ready: str | None = None
    database: DatabaseTable | None = None
    tasks: TasksTable | None = None
    auth: AuthTable = AuthTable()
    calls: list[CallTable] = msgspec.field(default_factory=list)
    promises: PromisesTable = PromisesTable()
    levels: dict[str, LevelTable] = msgspec.field(default_factory=dict)
