"""A task queue's library as the system under test: a small service around it, from ``capsize_queues``."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from capsize.core.errors import UsageError
from capsize.core.events import Outcome, Reported
from capsize.core.http import Exchange, Request, Send
from capsize.core.platform import Ready, Service
from capsize.core.registry import unknown
from capsize.core.system import ApiCall, TaskOrder

Headers = tuple[tuple[str, str], ...]
Config = Literal["default", "safe"]

CALL_LIMIT_S = 10.0
AUDIT_TRIES = 5
PREFIX = "queue:"
WORKER_ONLY = "a task queue's library has no such endpoint"


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """One library: what it is installed as, what it keeps its tasks in, and the log line of a worker that is ready.

    ``safe`` says in words what the safe settings are; ``installs`` are the distributions that it needs.
    """

    title: str
    installs: tuple[str, ...]
    broker: Literal["redis", "postgres"]
    ready: str
    safe: str


LIBRARIES: dict[str, Library] = {
    "arq": Library(
        title="arq",
        installs=("arq",),
        broker="redis",
        ready="Starting worker for",
        safe="`job_timeout` 8 s: what marks a job as taken ends ten seconds after that",
    ),
    "celery": Library(
        title="Celery",
        installs=("celery", "redis"),
        broker="redis",
        ready=" ready.",
        safe="`task_acks_late`, `task_reject_on_worker_lost`, `worker_prefetch_multiplier` 1, `visibility_timeout` 10 s",
    ),
    "dramatiq": Library(
        title="Dramatiq",
        installs=("dramatiq", "redis"),
        broker="redis",
        ready="Worker process is ready for action",
        safe="`heartbeat_timeout` 5 s, `maintenance_chance` one in ten",
    ),
    "huey": Library(
        title="Huey",
        installs=("huey", "redis"),
        broker="redis",
        ready="Huey consumer started",
        safe="none: Huey takes a task out of its queue before it runs it, and has no setting against that",
    ),
    "pgqueuer": Library(
        title="PgQueuer",
        installs=("pgqueuer", "asyncpg"),
        broker="postgres",
        ready="worker ready",
        safe="`heartbeat_timeout` 3 s, `dequeue_timeout` 2 s",
    ),
    "procrastinate": Library(
        title="Procrastinate",
        installs=("procrastinate",),
        broker="postgres",
        ready="Starting worker on",
        safe="a periodic task that retries stalled jobs, as its documentation shows, every 3 s; heartbeats every second",
    ),
    "rq": Library(
        title="RQ",
        installs=("rq", "redis"),
        broker="redis",
        ready="Listening on",
        safe="`job_timeout` 10 s, `Retry(max=3)`, `maintenance_interval` 2 s, `worker_ttl` 20 s; RQ adds a minute of its own",
    ),
    "taskiq": Library(
        title="taskiq",
        installs=("taskiq", "taskiq-redis"),
        broker="redis",
        ready="Listening started",
        safe="`RedisStreamBroker` in the place of `ListQueueBroker`, `idle_timeout` 8 s",
    ),
}
"""The known libraries by name."""

REDIS_SAFE = ("--appendonly", "yes", "--appendfsync", "always")
"""With its default settings Redis forgets on SIGKILL what it did not write for up to an hour."""


class _Task(msgspec.Struct):
    id: str
    status: str = "missing"


class QueueService:
    """A gateway that hands tasks to a library, and that library's workers, one task each.

    ``python`` is the Python that has the library. ``name`` is ``queue:celery`` or ``queue:celery:safe``, so that a
    recorded run says what ran.
    """

    def __init__(self, library: str, config: Config = "default", *, python: str = "", port: int = 0) -> None:
        if library not in LIBRARIES:
            raise UsageError(unknown("task queue", library, LIBRARIES))
        self.library, self.config, self.python, self.port = library, config, python or sys.executable, port
        self.name = f"{PREFIX}{library}" + (":safe" if config == "safe" else "")

    @classmethod
    def named(cls, name: str, port: int = 0) -> QueueService:
        """Make it from its name. Raises UsageError for one that is not known."""
        library, _, config = name.removeprefix(PREFIX).partition(":")
        if config not in ("", *get_args(Config)):
            raise UsageError(unknown("configuration", config, get_args(Config)))
        return cls(library, "safe" if config == "safe" else "default", port=port)

    @property
    def broker(self) -> str:
        """Return the service that keeps the tasks."""
        return LIBRARIES[self.library].broker

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return broker, gateway and workers, in the order in which they start."""
        env = {"QUEUE_CONFIG": self.config, "PYTHONUNBUFFERED": "1"}
        run = (self.python, "-m", "capsize_queues")
        if self.broker == "redis":
            before: tuple[Service, ...] = (_redis(self.config),)
            env["REDIS_URL"] = "redis://{redis_host}:{redis_port}/0"
        else:
            env["DATABASE_URL"] = "{database_url}"
            prepare = (*run, "prepare", self.library)
            before = (
                Service(name="postgres", role="database", port=0),
                Service(name="prepare", role="job", command=prepare, env=env),
            )
        return (
            *before,
            Service(
                name="api",
                role="api",
                command=(*run, "gateway", self.library),
                env=env | {"PORT": "{port}"},
                port=self.port,
                ready=Ready(http="/health/ready"),
            ),
            Service(
                name="worker",
                role="worker",
                command=(*run, "worker", self.library),
                env=env
                | {"WORKER_ID": "{instance}", "WITNESS_URL": "{witness_url}", "WITNESS_TASKS": "wait"},
                replicas=replicas.get("worker", 2),
                ready=Ready(log=LIBRARIES[self.library].ready),
            ),
        )

    async def login(self, send: Send, name: str) -> Headers:
        """Return nothing: the gateway is open."""
        return ()

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        """Return a task that waits."""
        return TaskOrder(type="wait", payload={"seconds": round(seconds, 6)}, key=key)

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:
        """Return None: there is no such task."""
        return None

    def unknown_order(self, key: str) -> TaskOrder | None:
        """Return None: there is no such task."""
        return None

    def submit(self, order: TaskOrder, auth: Headers) -> Request:
        """Return the submission."""
        body = msgspec.json.encode(order.payload)
        return Request(
            method="POST", path="/tasks", headers=(("content-type", "application/json"),), body=body
        )

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        """Tell accepted from refused; a 503 is indeterminate, since the library may have handed the task over."""
        response = exchange.response
        if response is None:
            return ("info" if exchange.reached else "fail"), None
        if response.status == 201:
            return "ok", msgspec.json.decode(response.body, type=_Task).id
        return ("fail" if response.status < 500 else "info"), None

    def cancel(self, task: str, auth: Headers) -> Request:
        """Raise UsageError: the gateway can't."""
        raise UsageError(WORKER_ONLY)

    async def audit(self, send: Send, auth: Headers, tasks: Sequence[str]) -> tuple[Reported, ...]:
        """Ask for each task; what has no definite answer is left out."""
        answers = [await _final_word(send, task) for task in tasks]
        return tuple(answer for answer in answers if answer is not None)

    def ready(self) -> Request:
        """Return the readiness endpoint, which asks the broker."""
        return Request(method="GET", path="/health/ready")

    def stats(self) -> Request:
        """Return a request that tells no counts: libraries have no such figure in common."""
        return Request(method="GET", path="/health")

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        """Return None."""
        return None

    def breakers(self, auth: Headers) -> Request | None:
        """Return None: there are none."""
        return None

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        """Return None."""
        return None

    def api_calls(self, auth: Headers) -> tuple[ApiCall, ...]:
        """Return the one call that needs no broker."""
        return (ApiCall(name="health", request=Request(method="GET", path="/health")),)


def require(library: str, python: str) -> dict[str, str]:
    """Return the versions of what a library's service needs. Raises UsageError, saying how to get what is missing."""
    if library not in LIBRARIES:
        raise UsageError(unknown("task queue", library, LIBRARIES))
    wanted = LIBRARIES[library]
    code = (
        "import importlib.metadata as m, json, sys\n"
        "def v(n):\n try: return m.version(n)\n except m.PackageNotFoundError: return None\n"
        "print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
    )
    try:
        # Arguments, no shell: the interpreter is the user's choice, the code is above.
        said = subprocess.run(
            [python, "-c", code, "capsize", *wanted.installs], capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"{python!r} can't be run as a Python: {error}") from error
    versions: dict[str, str | None] = json.loads(said.stdout)
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        raise UsageError(
            f"{python} lacks {', '.join(missing)}. Install: {python} -m pip install {' '.join(missing)}; "
            "or name another Python with --python"
        )
    if wanted.broker == "redis":
        versions["redis-server"] = _redis_version()
    return {name: version for name, version in versions.items() if version and name != "capsize"}


def _redis_version() -> str:
    program = shutil.which("redis-server")
    if program is None:
        raise UsageError(
            "there is no redis-server on the PATH. Install it, as with: apt-get install redis-server"
        )
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return next((word.removeprefix("v=") for word in said.split() if word.startswith("v=")), "unknown")


def _redis(config: Config) -> Service:
    command = ("redis-server", "--port", "{port}", "--bind", "{host}", "--dir", "{data}")
    return Service(
        name="redis",
        role="other",
        command=(*command, *(REDIS_SAFE if config == "safe" else ())),
        port=0,
        ready=Ready(log="Ready to accept connections"),
    )


async def _final_word(send: Send, task: str) -> Reported | None:
    for _ in range(AUDIT_TRIES):
        exchange = await send(Request(method="GET", path=f"/tasks/{task}"), CALL_LIMIT_S)
        if exchange.response is not None and exchange.response.status == 200:
            found = msgspec.json.decode(exchange.response.body, type=_Task)
            return Reported(t=0.0, task=task, status=found.status)
        await asyncio.sleep(0.2)
    return None
