"""The system that a description makes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.errors import StartError, UsageError
from capsize.core.events import Outcome, Reported
from capsize.core.experiment import Experiment
from capsize.core.http import Exchange, Request, Send
from capsize.core.platform import Ready, Service
from capsize.core.system import ApiCall, Lack, TaskOrder
from capsize.systems.configured.model import Description, ServiceTable
from capsize.systems.configured.promises import fitted
from capsize.systems.configured.sense import order, words
from capsize.systems.configured.templates import fill, fill_path, pick, request

Headers = tuple[tuple[str, str], ...]

CALL_LIMIT_S = 10.0
LOGIN_LIMIT_S = 20.0
AUDIT_TRIES = 5
AUDIT_AT_ONCE = 16
JSON = (("content-type", "application/json"),)


class ConfiguredSystem:
    """A service of the user's own. Its name is the file's path, so that a recorded run can be replayed."""

    def __init__(self, description: Description, path: Path, *, port: int = 0) -> None:
        self.description, self.path, self.port = description, path, port
        self.name = str(path)

    # ------------------------------------------------------------ how it runs

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return the database, if there is one, and the services in the order of what they depend on."""
        described = self.description.services
        found = [Service(name="postgres", role="database", port=0)] if self.description.database else []
        return (*found, *(self._service(name, described[name], replicas) for name in order(described)))

    def _service(self, name: str, table: ServiceTable, replicas: dict[str, int]) -> Service:
        role = "job" if table.job else name if name in ("api", "worker") else "other"
        env = dict(table.env)
        if name == "worker":
            env = {"WORKER_ID": "{instance}", "WITNESS_URL": "{witness_url}"} | env
        return Service(
            name=name,
            role=role,  # type: ignore[arg-type]
            command=tuple(words(table.command)),
            env=env,
            replicas=replicas.get(name, table.replicas),
            port=self.port or table.port if name == "api" else table.port,
            ready=Ready(http=table.health, log=table.ready_log, limit_s=table.ready_within_s),
            restart=table.restart,
            stop_grace_s=table.stop_within_s,
            folder=str((self.path.parent / (table.folder or ".")).resolve()),
        )

    def lacking(self) -> frozenset[Lack]:
        """Return what the service does not have, so that nothing is claimed of it."""
        tasks = self.description.tasks
        lacks: set[Lack] = {"counts", "cancel", "circuits", "content"}
        if tasks is None:
            lacks.add("tasks")
        elif not tasks.witness:
            lacks.add("witness")
        if self.description.database is None:
            lacks.add("database")
        if not self.description.calls:
            lacks.add("calls")
        return frozenset(lacks)

    def fitted(self, experiment: Experiment) -> Experiment:
        """Return an experiment with the file's promises and thresholds."""
        return fitted(experiment, self.description)

    def figures(self, number: int) -> dict[str, Any]:
        """Return the figures of a level that the file replaces, by their names in the level."""
        table = self.description.levels.get(str(number))
        given = {} if table is None else msgspec.structs.asdict(table)
        return {name: value for name, value in given.items() if value is not None}

    # ------------------------------------------------------------ how it is spoken to

    async def login(self, send: Send, name: str) -> Headers:
        """Return the headers of every call, after the login if there is one. Raises StartError."""
        auth = self.description.auth
        if auth.login is None:
            return tuple(auth.headers.items())
        asked = _request(auth.login, body=auth.body)
        answer = await send(asked, LOGIN_LIMIT_S)
        if answer.response is None or not 200 <= answer.response.status < 300:
            raise StartError(f"{auth.login} did not log in: {_story(answer)}")
        token = pick(_decoded(answer.response.body), auth.token or "")
        if not isinstance(token, str):
            raise StartError(f"the answer to {auth.login} has no text at {auth.token!r}: {_story(answer)}")
        return tuple((key, str(fill(value, {"token": token}))) for key, value in auth.headers.items())

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        """Return a task that takes so long."""
        return TaskOrder(type="task", payload={"seconds": round(seconds, 6)}, key=key)

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:
        """Return None: the description knows one kind of task."""
        return None

    def unknown_order(self, key: str) -> TaskOrder | None:
        """Return None: the description knows one kind of task."""
        return None

    def submit(self, order: TaskOrder, auth: Headers) -> Request:
        """Return the submission."""
        tasks = self.description.tasks
        if tasks is None:
            raise UsageError(f"{self.path} has no [tasks]")
        values = {"seconds": order.payload["seconds"], "key": order.key}
        more = tuple((name, str(fill(value, values))) for name, value in tasks.headers.items())
        return _request(tasks.submit, (*auth, *more), fill(tasks.body, values))

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        """Tell accepted from refused (4xx) from indeterminate (everything else that was sent)."""
        tasks, response = self.description.tasks, exchange.response
        if response is None or tasks is None:
            return ("info" if exchange.reached else "fail"), None
        if response.status in tasks.accepted:
            found = pick(_decoded(response.body), tasks.id)
            return ("ok", str(found)) if isinstance(found, str | int) else ("info", None)
        return ("fail" if 400 <= response.status < 500 else "info"), None

    def cancel(self, task: str, auth: Headers) -> Request:
        """Raise UsageError: the description has no such call."""
        raise UsageError(f"{self.path} does not say how a task is cancelled")

    async def audit(self, send: Send, auth: Headers, tasks: Sequence[str]) -> tuple[Reported, ...]:
        """Ask for each task, if the service says what became of one."""
        if self.description.tasks is None or self.description.tasks.status is None:
            return ()
        gate = asyncio.Semaphore(AUDIT_AT_ONCE)

        async def one(task: str) -> Reported | None:
            async with gate:
                return await self._final_word(send, auth, task)

        answers = await asyncio.gather(*(one(task) for task in tasks))
        return tuple(answer for answer in answers if answer is not None)

    async def _final_word(self, send: Send, auth: Headers, task: str) -> Reported | None:
        status = self.description.tasks.status if self.description.tasks else None
        if status is None:
            return None
        method, path = request(status.request) or ("GET", "/")
        asked = Request(method=method, path=fill_path(path, {"task": task}), headers=auth)
        for _ in range(AUDIT_TRIES):
            response = (await send(asked, CALL_LIMIT_S)).response
            if response is not None and response.status == 404:
                return Reported(t=0.0, task=task, status="missing")
            if response is not None and response.status == 200:
                word = str(pick(_decoded(response.body), status.field))
                meant = next((state for state, known in status.states.items() if word in known), None)
                # A failed task is listed where its status is: the description knows no other dead-letter queue.
                return meant and Reported(t=0.0, task=task, status=meant, dead_lettered=meant == "failed")
            await asyncio.sleep(0.2)
        return None

    def ready(self) -> Request:
        """Return the availability probe: ``ready`` of the file, else the API's health."""
        path = self.description.ready or self.description.services["api"].health or "/"
        return Request(method="GET", path=path)

    def stats(self) -> Request:
        """Return a request that tells no counts."""
        return self.ready()

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        """Return None: the description knows no counts."""
        return None

    def breakers(self, auth: Headers) -> Request | None:
        """Return None."""
        return None

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        """Return None."""
        return None

    def api_calls(self, auth: Headers) -> tuple[ApiCall, ...]:
        """Return the calls of the file; without any, the availability probe."""
        if not self.description.calls:
            return (ApiCall(name="ready", request=self.ready()),)
        return tuple(
            ApiCall(
                name=call.name, request=_request(call.request, auth, call.body), expect=tuple(call.expect)
            )
            for call in self.description.calls
        )


def _request(text: str, headers: Headers = (), body: Any = None) -> Request:
    method, path = request(text) or ("GET", "/")
    if body is None:
        return Request(method=method, path=path, headers=headers)
    return Request(method=method, path=path, headers=(*headers, *JSON), body=msgspec.json.encode(body))


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


def _story(exchange: Exchange) -> str:
    if exchange.response is None:
        return exchange.error or "no answer"
    return f"{exchange.response.status} {exchange.response.body[:300].decode(errors='replace')}"
