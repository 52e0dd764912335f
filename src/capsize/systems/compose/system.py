"""A system whose services run as its compose file says, and which is spoken to as its adapter says."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from capsize.core.platform import Container, Ready, Service
from capsize.core.system import System
from capsize.systems.compose.project import ComposePlan, Part

PREFIX = "compose:"
HEALTHY_LIMIT_S = 120.0
PLACE_OF_PORT = "{port}"


def composed(inner: System, plan: ComposePlan, images: Mapping[str, str]) -> System:
    """Return the adapter with the project's services in the place of its own.

    ``images`` names what each service's containers are made from. Everything else that the adapter can do it
    still can, so it is of a class made from the adapter's own.
    """
    kind = type(f"Composed{type(inner).__name__}", (_Composed, type(inner)), {})
    made: Any = copy.copy(inner)
    made.__class__ = kind
    made.name = f"{PREFIX}{inner.name}"
    made.compose_plan, made.compose_images = plan, dict(images)
    result: System = made
    return result


class _Composed:
    """The services of a compose project; in front of an adapter's class."""

    compose_plan: ComposePlan
    compose_images: dict[str, str]

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return the project's services in the order of starting; the adapter tells how its own are told things."""
        adapter: tuple[Service, ...] = super().services(replicas, settings)  # type: ignore[misc]
        own = {service.role: service for service in adapter}
        return tuple(
            _service(part, own.get(part.role), self.compose_images[part.service.name], replicas)
            for part in self.compose_plan.parts
        )


def _service(part: Part, own: Service | None, image: str, replicas: dict[str, int]) -> Service:
    """Return a part of the project as a service of the run.

    The experiment's settings and the witness come from the adapter and go over what the file has; where the API
    listens is the file's to say.
    """
    given = part.service
    told = {} if own is None else {name: text for name, text in own.env.items() if text != PLACE_OF_PORT}
    service = Service(
        name=part.called,
        role=part.role,
        command=given.command or (),
        env=given.env | told,
        replicas=replicas.get(part.called, 1) if part.role in ("api", "worker") else 1,
        port=0 if part.role in ("api", "database") else None,
        ready=_ready(part, own),
        restart=given.restart,
        stop_grace_s=given.stop_grace_s,
        cpu=given.cpu,
        memory=given.memory,
        image=image,
        container=Container(
            port=part.port,
            names=(given.name,),
            own_entry=given.own_entry,
            mounts=given.mounts,
            more=_more(part),
        ),
    )
    # Its own environment is the platform's: user, password and settings of the run's database.
    return msgspec.structs.replace(service, command=(), env={}) if part.role == "database" else service


def _more(part: Part) -> dict[str, Any]:
    """Return what the engine is told beside the rest; the API is looked at by its adapter's own path."""
    more = dict(part.service.more)
    if part.service.health and part.role == "other":
        second = 1_000_000_000
        test = list(part.service.health)
        more["healthcheck"] = {"test": test, "interval": second, "timeout": 5 * second, "retries": 120}
    return more


def _ready(part: Part, own: Service | None) -> Ready:
    if part.role == "other":
        return Ready(healthy=bool(part.service.health), limit_s=HEALTHY_LIMIT_S)
    if part.role == "database" or own is None:
        return Ready(limit_s=HEALTHY_LIMIT_S)
    return own.ready
