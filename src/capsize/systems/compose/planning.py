"""From a compose file to what runs: who is who, in which order, and whether it may be broken. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args
from urllib.parse import urlsplit

import msgspec

from capsize.core.errors import UsageError
from capsize.core.registry import unknown
from capsize.systems.compose.project import ALLOW, ROLE, ROLES, ComposePlan, ComposeService, Part, Role

ONE_EACH: tuple[Role, ...] = ("api", "worker", "database")
"""Scenarios know one of each."""
POSTGRES_SCHEMES = ("postgres", "postgresql")
DONE = "service_completed_successfully"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says beside the file: roles by service, the API's port, and that everything may be broken."""

    roles: dict[str, Role] = msgspec.field(default_factory=dict)
    api_port: int | None = None
    yes: bool = False


def plan(path: Path, services: Mapping[str, ComposeService], told: Told) -> ComposePlan:
    """Return what runs. Asks no engine. Raises UsageError for what can't be known, or may not be broken."""
    roles = _roles(path, services, told)
    _allowed(path, services, roles, told)
    parts = tuple(
        Part(service=services[name], role=roles[name], port=_port(path, services[name], roles[name], told))
        for name in _order(path, services)
    )
    database = next(part.service.name for part in parts if part.role == "database")
    return ComposePlan(file=str(path), parts=tuple(_rewired(path, part, database) for part in parts))


def _roles(path: Path, services: Mapping[str, ComposeService], told: Told) -> dict[str, Role]:
    """Return each service's role: as told, as its label says, or other. Raises UsageError for one that is missing."""
    for name in told.roles:
        if name not in services:
            raise UsageError(f"--role {name}: {path}: {unknown('service', name, services)}")
    roles: dict[str, Role] = {}
    for name, service in services.items():
        role = told.roles.get(name) or service.labels.get(ROLE) or _certain(name, services)
        if role not in get_args(Role):
            raise UsageError(f"{path}: services.{name}.labels.{ROLE}: {unknown('role', role, ROLES)}")
        roles[name] = cast("Role", role)
    for role in ONE_EACH:
        named = [name for name, one in roles.items() if one == role]
        if len(named) != 1:
            raise UsageError(_asked(path, role, named, services))
    return roles


def _certain(name: str, services: Mapping[str, ComposeService]) -> Role:
    """Return what follows from the file: who is waited for to end is a job."""
    waited = any(service.needs.get(name) == DONE for service in services.values())
    return "job" if waited else "other"


def _asked(path: Path, role: Role, named: list[str], services: Mapping[str, ComposeService]) -> str:
    known = ", ".join(f"{name} ({service.image or 'built'})" for name, service in services.items())
    problem = (
        f"{' and '.join(named)} are both the {role}" if named else f"nothing says which service is the {role}"
    )
    return (
        f"{path}: services: {problem}, and capsize needs exactly one. Say it with --role SERVICE={role}, or with the "
        f"label {ROLE}: {role}. Services: {known}"
    )


def _allowed(
    path: Path, services: Mapping[str, ComposeService], roles: Mapping[str, Role], told: Told
) -> None:
    """See that what scenarios break may be broken. Raises UsageError."""
    closed = [
        name
        for name, role in roles.items()
        if role in ONE_EACH and services[name].labels.get(ALLOW) != "true"
    ]
    if closed and not told.yes:
        raise UsageError(
            f"{path}: services.{closed[0]}.labels: nothing allows capsize to break {', '.join(closed)}. "
            f'Give each the label {ALLOW}: "true", or say --yes'
        )


def _port(path: Path, service: ComposeService, role: Role, told: Told) -> int | None:
    if role != "api":
        return None
    if told.api_port is not None:
        return told.api_port
    if len(set(service.ports)) != 1:
        found = "several ports" if service.ports else "no port"
        raise UsageError(
            f"{path}: services.{service.name}.ports: it has {found}; say on which one the API listens inside its "
            "container with --api-port"
        )
    return service.ports[0]


def _order(path: Path, services: Mapping[str, ComposeService]) -> list[str]:
    """Return the names so that each comes after what it depends on. Raises UsageError."""
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise UsageError(f"{path}: services.{name}.depends_on: it goes in a circle: {circle}")
        for needed in services[name].needs:
            if needed not in services:
                raise UsageError(
                    f"{path}: services.{name}.depends_on: {unknown('service', needed, services)}"
                )
            visit(needed, (*above, name))
        if name not in done:
            done.append(name)

    for name in services:
        visit(name, ())
    return done


def _rewired(path: Path, part: Part, database: str) -> Part:
    """Return a part whose addresses of the database are those of the run. Raises UsageError for what can't be."""
    if part.role == "database":
        return part
    env = {
        name: _address(f"{path}: services.{part.service.name}.environment.{name}", text, database)
        for name, text in part.service.env.items()
    }
    return msgspec.structs.replace(part, service=msgspec.structs.replace(part.service, env=env))


def _address(where: str, text: str, database: str) -> str:
    """Return an environment variable as it is, or the place of the database's address when it is one.

    The run's database has a name, a user and a password of its own, so that faults can come between.
    """
    parts = urlsplit(text) if "://" in text else None
    is_url = parts is not None and _host(parts.netloc) == database
    if text != database and not is_url:
        return text
    if parts is None or parts.scheme not in POSTGRES_SCHEMES:
        raise UsageError(
            f"{where}: {text!r} leads to the database {database}, which in a run has a user and a password of its own. "
            "Give the service one variable of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        )
    return "{database_url}"


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2].partition(":")[0]
