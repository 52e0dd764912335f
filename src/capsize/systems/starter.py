"""The reference service: an API, workers and a queue on PostgreSQL, as ``docs/service-contract.md`` has it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from capsize.core.content import content, parsed
from capsize.core.errors import CapsizeError, StartError
from capsize.core.events import Outcome, Reported
from capsize.core.http import Exchange, Request, Send
from capsize.core.platform import Ready, Service
from capsize.core.system import ApiCall, TaskOrder
from capsize.systems.starter_users import StarterUsers

Headers = tuple[tuple[str, str], ...]
Count = Literal["created", "pending", "running", "completed", "failed", "cancelled", "dead_letter"]

CALL_LIMIT_S = 5.0
LOGIN_LIMIT_S = 20.0
AUDIT_TRIES = 5
AUDIT_AT_ONCE = 16
PAGE = 100
JSON = (("content-type", "application/json"),)
RELIABILITY = {
    "breaker_failures": "STARTER_BREAKER_FAILURES",
    "breaker_open_s": "STARTER_BREAKER_OPEN_S",
    "retry_base_s": "STARTER_RETRY_BASE_S",
}
"""The experiment's settings that are environment variables of the starter under another name."""
MIB = 1 << 20
LIMITS: Any = {"cpu": 1.0, "memory": 256 * MIB}
"""What one process of the starter may use up, where that can be bounded: about four times what it needs."""
UNKNOWN_TYPE = "nonexistent_type"
FIELDS = ("type", "payload", "priority", "max_attempts")
"""What never changes of a task, whatever happens to it."""
ROWS = """
SELECT id::text AS task, to_json(type)::text AS type, payload::text AS payload, priority::text AS priority,
    max_attempts::text AS max_attempts
FROM tasks WHERE id = ANY ($1::text[]::uuid[])
"""


class _Accepted(msgspec.Struct):
    id: str


class _Task(msgspec.Struct):
    id: str
    status: str
    attempts: int = 0
    losses: int = 0
    error: str | None = None


class _Page(msgspec.Struct):
    items: list[_Accepted]
    next_cursor: str | None = None


class _Circuit(msgspec.Struct):
    type: str
    state: Literal["closed", "open", "half_open"]


class _Circuits(msgspec.Struct):
    items: list[_Circuit]


class _Login(msgspec.Struct):
    token: str


class Starter(StarterUsers):
    """The starter, run from the platform's Python; ``program`` replaces the command that starts it.

    ``port`` is where the API listens; 0 asks for a free one.
    """

    name = "starter"

    def __init__(
        self,
        program: Sequence[str] = ("{python}", "-m", "capsize_starter"),
        *,
        port: int = 0,
    ) -> None:
        self.program = tuple(program)
        self.port = port

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return database, migration, API and workers, in the order in which they start."""
        env = {
            "DATABASE_URL": "{database_url}",
            # Argon2 at its lightest: a chaos run measures the service, not a password's hash.
            "STARTER_ARGON2_TIME_COST": "1",
            "STARTER_ARGON2_MEMORY_KIB": "1024",
            **_lease(settings),
            **{env: settings[name] for name, env in RELIABILITY.items() if name in settings},
            **{name: value for name, value in settings.items() if name.isupper()},
        }
        return (
            Service(name="postgres", role="database", port=0, cpu=2.0, memory=1024 * MIB),
            Service(name="migrate", role="job", command=(*self.program, "migrate"), env=env, **LIMITS),
            Service(
                name="api",
                role="api",
                command=(*self.program, "server"),
                env=env | {"HOST": "{host}", "PORT": "{port}"},
                replicas=replicas.get("api", 1),
                port=self.port,
                ready=Ready(http="/health/ready"),
                **LIMITS,
            ),
            Service(
                name="worker",
                role="worker",
                command=(*self.program, "worker"),
                env=env | {"WORKER_ID": "{instance}", "WITNESS_URL": "{witness_url}"},
                replicas=replicas.get("worker", 2),
                ready=Ready(log="worker.ready"),
                **LIMITS,
            ),
        )

    async def login(self, send: Send, name: str) -> Headers:
        """Register a user of that name, log in, and return the bearer header."""
        user = {"email": f"{name}@capsize.example", "password": f"capsize-{name}-Pa55!", "name": name}
        registered = await send(_post("/auth/register", user), LOGIN_LIMIT_S)
        if registered.response is None or registered.response.status not in (201, 409):
            raise StartError(f"the service did not register a user: {_story(registered)}")
        answer = await send(_post("/auth/login", user), LOGIN_LIMIT_S)
        if answer.response is None or answer.response.status != 200:
            raise StartError(f"the service did not log the user in: {_story(answer)}")
        token = msgspec.json.decode(answer.response.body, type=_Login).token
        return (("authorization", f"Bearer {token}"),)

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        """Return a ``delay`` task."""
        return TaskOrder(type="delay", payload={"seconds": round(seconds, 6)}, key=key)

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder:
        """Return a ``webhook`` task."""
        payload = {"url": url, "timeout_s": round(timeout_s, 6)}
        return TaskOrder(type="webhook", payload=payload, key=key)

    def unknown_order(self, key: str) -> TaskOrder:
        """Return a task that is accepted and that every worker refuses."""
        return TaskOrder(type=UNKNOWN_TYPE, payload={}, key=key)

    def submit(self, order: TaskOrder, auth: Headers) -> Request:
        """Return the submission, with the order's key as its idempotency key."""
        body: dict[str, Any] = {"type": order.type, "payload": order.payload}
        if order.priority is not None:
            body["priority"] = order.priority
        if order.max_attempts is not None:
            body["max_attempts"] = order.max_attempts
        return _post("/tasks", body, (*auth, ("idempotency-key", order.key)))

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        """Tell accepted (200, 201) from refused (4xx) from indeterminate (everything else that was sent).

        A 5xx is indeterminate: the insert may have been committed before the answer went wrong.
        """
        response = exchange.response
        if response is None:
            return ("info" if exchange.reached else "fail"), None
        if response.status in (200, 201):
            try:
                return "ok", msgspec.json.decode(response.body, type=_Accepted).id
            except msgspec.DecodeError:
                return "info", None
        return ("fail" if 400 <= response.status < 500 else "info"), None

    def accepted(self, order: TaskOrder, exchange: Exchange) -> dict[str, Any]:
        """Return type and payload as ordered; priority and attempts as ordered, or else as the answer has them."""
        kept: dict[str, Any] = {"type": order.type, "payload": order.payload}
        asked = {"priority": order.priority, "max_attempts": order.max_attempts}
        answer = _fields(exchange)
        for name, value in asked.items():
            if value is not None or name in answer:
                kept[name] = answer[name] if value is None else value
        return kept

    def rows(self) -> str:
        """Return the statement that reads the starter's table."""
        return ROWS

    def cancel(self, task: str, auth: Headers) -> Request:
        """Return the cancelling of one task."""
        return Request(method="POST", path=f"/tasks/{task}/cancel", headers=auth)

    async def audit(self, send: Send, auth: Headers, tasks: Sequence[str]) -> tuple[Reported, ...]:
        """Ask for each task by its id, and for the dead-letter queue; what has no definite answer is left out."""
        gate = asyncio.Semaphore(AUDIT_AT_ONCE)

        async def one(task: str) -> Reported | None:
            async with gate:
                return await _final_word(send, auth, task)

        answers = await asyncio.gather(*(one(task) for task in tasks))
        dead = await _dead_letters(send, auth)
        if dead is None and any(answer is not None and answer.status == "failed" for answer in answers):
            raise CapsizeError("the dead-letter queue could not be listed")
        return tuple(
            msgspec.structs.replace(answer, dead_lettered=answer.task in (dead or ()))
            for answer in answers
            if answer is not None
        )

    def ready(self) -> Request:
        """Return the readiness endpoint, which asks the database."""
        return Request(method="GET", path="/health/ready")

    def stats(self) -> Request:
        """Return the public counts."""
        return Request(method="GET", path="/tasks/stats")

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        """Read the counts, all of one snapshot."""
        if exchange.response is None or exchange.response.status != 200:
            return None
        try:
            found = msgspec.json.decode(exchange.response.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return None
        return {name: found[name] for name in get_args(Count) if isinstance(found.get(name), int)}

    def breakers(self, auth: Headers) -> Request:
        """Return the circuits of the types that ever failed."""
        return Request(method="GET", path="/tasks/circuit-breakers", headers=auth)

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        """Read the states by type."""
        if exchange.response is None or exchange.response.status != 200:
            return None
        try:
            found = msgspec.json.decode(exchange.response.body, type=_Circuits)
        except msgspec.DecodeError:
            return None
        return {circuit.type: circuit.state for circuit in found.items}

    def api_calls(self, auth: Headers) -> tuple[ApiCall, ...]:
        """Return one call per endpoint, none of which leaves anything that a task checker would see."""
        reads = {
            "health": "/health",
            "live": "/health/live",
            "detailed": "/health/detailed",
            "me": "/auth/me",
            "list": "/tasks?limit=20",
            "filtered": "/tasks?status=completed&type=delay&limit=5",
            "stats": "/tasks/stats",
            "types": "/tasks/types",
            "dead-letter": "/tasks/dead-letter",
            "circuit-breakers": "/tasks/circuit-breakers",
            "metrics": "/metrics",
        }
        unknown = "00000000-0000-7000-8000-000000000000"
        return (
            *(
                ApiCall(name=name, request=Request(method="GET", path=path, headers=auth))
                for name, path in reads.items()
            ),
            ApiCall(
                name="unknown-task",
                request=Request(method="GET", path=f"/tasks/{unknown}", headers=auth),
                expect=(404,),
            ),
            ApiCall(name="no-token", request=Request(method="GET", path="/auth/me"), expect=(401,)),
            ApiCall(name="bad-task", request=_post("/tasks", {"type": "delay"}, auth), expect=(422,)),
        )


def _lease(settings: dict[str, str]) -> dict[str, str]:
    """Return the worker's settings for a lease: it is renewed four times over, and looked for six times."""
    if "lease_s" not in settings:
        return {}
    lease_s = float(settings["lease_s"])
    return {
        "STARTER_LEASE_S": f"{lease_s:g}",
        "STARTER_HEARTBEAT_S": f"{lease_s / 4:g}",
        "STARTER_REAP_S": f"{lease_s / 6:g}",
    }


async def _final_word(send: Send, auth: Headers, task: str) -> Reported | None:
    for _ in range(AUDIT_TRIES):
        exchange = await send(Request(method="GET", path=f"/tasks/{task}", headers=auth), CALL_LIMIT_S)
        if exchange.response is not None and exchange.response.status == 404:
            return Reported(t=0.0, task=task, status="missing")
        if exchange.response is not None and exchange.response.status == 200:
            found = msgspec.json.decode(exchange.response.body, type=_Task)
            return Reported(
                t=0.0,
                task=task,
                status=found.status,
                attempts=found.attempts,
                losses=found.losses,
                error=found.error or "",
                content=content(_fields(exchange)),
            )
        await asyncio.sleep(0.2)
    return None


def _fields(exchange: Exchange) -> dict[str, Any]:
    """Return what never changes of the task that an answer tells of; nothing when it tells of none.

    A field that the answer leaves out is null: what is gone from it must show as altered.
    """
    try:
        found = parsed(exchange.response.body if exchange.response is not None else b"")
    except ValueError:
        return {}
    return {name: found.get(name) for name in FIELDS} if isinstance(found, dict) else {}


async def _dead_letters(send: Send, auth: Headers) -> set[str] | None:
    """Return the ids that the dead-letter queue lists, page by page; None when a page did not come."""
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        path = f"/tasks/dead-letter?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        for _ in range(AUDIT_TRIES):
            exchange = await send(Request(method="GET", path=path, headers=auth), CALL_LIMIT_S)
            if exchange.response is not None and exchange.response.status == 200:
                break
            await asyncio.sleep(0.2)
        else:
            return None
        page = msgspec.json.decode(exchange.response.body, type=_Page)
        found.update(item.id for item in page.items)
        cursor = page.next_cursor
    return found


def _post(path: str, body: dict[str, Any], headers: Headers = ()) -> Request:
    return Request(method="POST", path=path, headers=(*headers, *JSON), body=msgspec.json.encode(body))


def _story(exchange: Exchange) -> str:
    if exchange.response is None:
        return exchange.error or "no answer"
    return f"{exchange.response.status} {exchange.response.body[:300].decode(errors='replace')}"
