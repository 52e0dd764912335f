"""What the types of a description can't tell: whether it makes sense as a whole."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from capsize.core.registry import unknown
from capsize.systems.configured.model import Description, ServiceTable
from capsize.systems.configured.templates import places, request

Mistake = tuple[tuple[str, ...], str]
"""The key, and what is wrong with it."""

ALWAYS = ("host", "port", "instance", "data", "python", "api_url", "witness_url")
PROMISES = (
    "lost", "duplicate", "overlap", "stuck", "misreported", "resurrected", "unaccounted", "late", "availability",
    "recovery", "completion", "flapping", "retries", "restarted", "spread", "pickup", "throughput", "queue", "memory",
    "crashes", "truthful_health", "bounded_answers", "endpoints", "database_load", "utilization", "recovery_trend",
)  # fmt: skip
"""The claims that a service's owner may do without. Those on capsize's own evidence are not among them."""


def mistakes(described: Description, path: Path) -> Iterator[Mistake]:
    """Yield what is wrong, the most telling first."""
    yield from _services(described)
    for name, service in described.services.items():
        yield from _service(described, name, service, path.parent)
    yield from _tasks(described)
    yield from _auth(described)
    yield from _calls(described)
    yield from _rest(described)


def words(command: str | list[str]) -> list[str]:
    """Return the words of a command. Raises ValueError for a line with an open quotation."""
    return shlex.split(command) if isinstance(command, str) else command


def order(services: dict[str, ServiceTable]) -> list[str]:
    """Return the services' names so that each comes after those that it depends on. Raises CycleError."""
    waits = {name: [one for one in table.depends_on if one in services] for name, table in services.items()}
    return list(TopologicalSorter(waits).static_order())


def _services(described: Description) -> Iterator[Mistake]:
    services = described.services
    api = services.get("api")
    if api is None:
        yield (
            ("services",),
            "no service is named 'api'. The one that answers HTTP has to be; call it [services.api]",
        )
        return
    if api.port is None:
        yield (
            ("services", "api"),
            "it has no port. Give `port = 0` for a free one, and `{port}` in its command",
        )
    if "worker" not in services and described.tasks is not None:
        yield (
            ("tasks",),
            "there are tasks, and no service is named 'worker'. The one that runs them has to be",
        )
    if "postgres" in services:
        yield (
            ("services", "postgres"),
            "this name is the embedded database's. Write [database], or give the service another name",
        )
    try:
        order(services)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        yield ("services",), f"they wait for each other: {circle}. Take one `depends_on` away"


def _service(described: Description, name: str, service: ServiceTable, folder: Path) -> Iterator[Mistake]:
    at = ("services", name)
    try:
        command = words(service.command)
    except ValueError as error:
        yield (*at, "command"), f"it can't be split into words: {error}"
        return
    if not command:
        yield (*at, "command"), "it is empty"
        return
    if "{" not in command[0] and not _runs(command[0], folder / (service.folder or ".")):
        yield (*at, "command"), f"there is no program {command[0]!r} on the PATH or in {folder}"
    known = _places(described)
    for key, texts in (("command", command), ("env", list(service.env.values()))):
        for place in places(texts):
            if place not in known:
                yield (*at, key), unknown("place", place, known)
    if service.port is None and "port" in places(command):
        yield (*at, "command"), "it holds {port}, and the service has no port. Give `port = 0`"
    for other in service.depends_on:
        if other not in described.services:
            yield (*at, "depends_on"), unknown("service", other, described.services)
    if service.health is not None and not service.health.startswith("/"):
        yield (*at, "health"), f"{service.health!r} is no path; it has to begin with a slash"
    if service.health is not None and service.port is None:
        yield (*at, "health"), "it can't be asked: the service has no port"
    if service.folder is not None and not (folder / service.folder).is_dir():
        yield (*at, "folder"), f"there is no folder {folder / service.folder}"
    if service.job and name in ("api", "worker"):
        yield (*at, "job"), f"{name!r} has to go on running, and a job ends"


def _places(described: Description) -> list[str]:
    more = ["database_url"] if described.database is not None else []
    for name, service in described.services.items():
        if service.port is not None:
            more += [f"{name.replace('-', '_')}_{what}" for what in ("host", "port")]
    return [*ALWAYS, *more]


def _runs(program: str, folder: Path) -> bool:
    return shutil.which(program) is not None or (folder / program).is_file()


def _tasks(described: Description) -> Iterator[Mistake]:
    tasks = described.tasks
    if tasks is None:
        return
    yield from _request(("tasks", "submit"), tasks.submit)
    for key, template in (("body", tasks.body), ("headers", tasks.headers)):
        yield from _only(("tasks", key), places(template), ("seconds", "key"))
    if not tasks.witness and tasks.status is None:
        yield (
            ("tasks",),
            "nobody tells when a task is done. Let the workers announce it (docs/witness.md), or give [tasks.status]",
        )
    if tasks.status is not None:
        yield from _request(("tasks", "status", "request"), tasks.status.request)
        if "task" not in places(tasks.status.request):
            yield ("tasks", "status", "request"), "it has no {task}: which task is asked for?"
        if "completed" not in tasks.status.states:
            yield (
                ("tasks", "status", "states"),
                'no word means completed. Give `completed = ["done"]` or the like',
            )


def _auth(described: Description) -> Iterator[Mistake]:
    auth = described.auth
    if auth.login is not None:
        yield from _request(("auth", "login"), auth.login)
        if auth.token is None:
            yield (
                ("auth",),
                'the login\'s answer has a token somewhere: give `token = "access_token"` or the like',
            )
    yield from _only(("auth", "headers"), places(auth.headers), ("token",) if auth.login else ())


def _calls(described: Description) -> Iterator[Mistake]:
    for number, call in enumerate(described.calls):
        yield from _request(("calls", str(number), "request"), call.request)
    names = [call.name for call in described.calls]
    for number, name in enumerate(names):
        if name in names[:number]:
            yield ("calls", str(number), "name"), f"two calls are named {name!r}"


def _rest(described: Description) -> Iterator[Mistake]:
    for name in described.promises.ignore:
        if name not in PROMISES:
            yield ("promises", "ignore"), unknown("claim", name, PROMISES)
    for number in described.levels:
        if number not in ("1", "2", "3", "4", "5", "6"):
            yield ("levels", number), f"there is no level {number}; they are 1 to 6"
    if described.ready is not None:
        yield from _request(("ready",), f"GET {described.ready}")
    if described.tasks is None and not described.calls:
        yield (), "there is nothing to do: give [tasks], or [[calls]] for a service without tasks"


def _request(at: tuple[str, ...], text: str) -> Iterator[Mistake]:
    if request(text) is None:
        yield at, f"{text!r} is no request; write it as `GET /path` or `POST /path`"


def _only(at: tuple[str, ...], found: Iterable[str], known: tuple[str, ...]) -> Iterator[Mistake]:
    for place in found:
        if place not in known:
            yield at, unknown("place", place, known) if known else f"it has no place for {{{place}}}"
