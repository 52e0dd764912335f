"""Settings of the starter, read once from the environment.

Frozen dataclasses and not pydantic: a worker must be ready a moment after it was started, and importing
pydantic alone takes longer than all the rest of its start. A part that has settings of its own declares
a dataclass beside its code and reads it with `load`.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

PREFIX = "STARTER_"

T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable holds a value that can't be used; the message names it."""


def named(name: str, default: Any) -> Any:
    """A dataclass field whose environment variable is `name`, without the prefix."""
    return field(default=default, metadata={"env": name})


def load(cls: type[T], env: Mapping[str, str] | None = None) -> T:
    """Read the dataclass `cls` from the environment.

    A field `poll_s` is read from `STARTER_POLL_S` unless it was declared with `named`. Fields may be str, int,
    float or bool. An empty variable counts as absent.

    Raises:
        SettingsError: a value is malformed, or a field without a default is missing.
    """
    env = os.environ if env is None else env
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for item in fields(cls):  # type: ignore[arg-type]
        name = item.metadata.get("env", PREFIX + item.name.upper())
        text = env.get(name, "")
        if text:
            values[item.name] = _parse(name, text, hints[item.name])
        elif item.default is MISSING and item.default_factory is MISSING:
            raise SettingsError(f"{name} is not set. Set it in the environment.")
    return cls(**values)


def _parse(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        lowered = text.strip().lower()
        if lowered in {"1", "true", "yes", "on"}:
            return True
        if lowered in {"0", "false", "no", "off"}:
            return False
        raise SettingsError(f"{name} is {text!r}; it must be true or false.")
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}; it must be of type {kind.__name__}.") from error


def default_worker_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True)
class DatabaseSettings:
    """How PostgreSQL is reached. All limits are held on the client's side too."""

    url: str = named("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    db_pool_size: int = 10
    db_connect_timeout_s: float = 1.0
    db_timeout_s: float = 1.5
    """Waiting for a connection and running one statement, together."""


@dataclass(frozen=True)
class ServerSettings:
    """Where the API listens."""

    host: str = named("HOST", "127.0.0.1")
    port: int = named("PORT", 3000)
    log_level: str = "info"


@dataclass(frozen=True)
class QueueSettings:
    """Limits that hold for every task, whichever process handles it."""

    losses_max: int = 10
    """After so many lost workers a task goes to the dead-letter queue."""
    retry_base_s: float = 1.0
    retry_max_s: float = 300.0
    breaker_failures: int = 5
    """So many failures in a row open a type's circuit."""
    breaker_open_s: float = 30.0
    """So long a circuit stays open before one probe may run."""


@dataclass(frozen=True)
class WorkerSettings:
    """How one worker process claims and runs tasks."""

    worker_id: str = field(default_factory=default_worker_id, metadata={"env": "WORKER_ID"})
    witness_url: str = named("WITNESS_URL", "")
    concurrency: int = 1
    lease_s: float = 3.0
    """A worker that was silent for so long has lost its tasks."""
    heartbeat_s: float = 0.75
    reap_s: float = 0.5
    """How often each worker looks for leases that are over, and for work that no notification told it of."""
    grace_s: float = 10.0
    """After SIGTERM, running tasks have so long to finish before they are handed back."""
    batch_max: int = 500
    """The most tasks in one batch of a type that is proven fast; 0 turns batches off."""
    batch_s: float = 0.02
    """A batch holds no more work than this, by the type's measured time."""
    files_root: str = "./var"
    """The folder that file handlers may touch; nothing outside it."""
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise SettingsError("STARTER_CONCURRENCY must be at least 1.")
        if not 0 < self.heartbeat_s <= self.lease_s / 2:
            raise SettingsError(
                f"STARTER_HEARTBEAT_S is {self.heartbeat_s}; with a lease of {self.lease_s} s it must be above 0"
                f" and at most {self.lease_s / 2} s, or one late heartbeat would lose the lease."
            )
