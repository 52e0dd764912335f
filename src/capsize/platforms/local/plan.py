"""What is known before anything starts: names, ports, addresses, and what goes into the open places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from capsize.core.errors import StartError, UsageError
from capsize.core.platform import Service, name_of
from capsize.platforms.local.fields import fill
from capsize.platforms.local.ports import HOST, claim, free_port


@dataclass
class Plan:
    """The services of a stack and the ports of their instances, which stay the same over restarts."""

    services: tuple[Service, ...]
    given: Mapping[str, str]
    ports: dict[str, int] = field(default_factory=dict)
    detours: dict[str, dict[str, str]] = field(default_factory=dict)
    """What an instance is told instead of the plain addresses, since its connections go through a proxy."""
    database_url: str | None = None
    files: Path | None = None
    """Where the instances may keep data of their own."""

    @classmethod
    def of(cls, services: Sequence[Service], given: Mapping[str, str]) -> Plan:
        """Give every instance its port. Raises StartError for a port that is taken."""
        if len({service.name for service in services}) < len(services):
            raise StartError("two services have the same name")
        plan = cls(tuple(services), dict(given))
        for service in services:
            for number in range(1, service.replicas + 1):
                plan.port(service, number)
        return plan

    def service(self, name: str) -> Service:
        """Return a service by name. Raises UsageError for an unknown one."""
        for service in self.services:
            if service.name == name:
                return service
        raise UsageError(
            f"there is no service {name!r}. Known: {', '.join(service.name for service in self.services)}"
        )

    def of_role(self, role: str) -> Service | None:
        """Return the first service of a role."""
        return next((service for service in self.services if service.role == role), None)

    def port(self, service: Service, number: int) -> int | None:
        """Return the port of one instance, chosen at the first time; None when it has none."""
        name = instance_name(service, number)
        if service.port is None and service.role != "database":
            return None
        if name not in self.ports:
            self.ports[name] = (
                claim(service.port + number - 1, name)
                if service.port
                else free_port(set(self.ports.values()))
            )
        return self.ports[name]

    @property
    def api_url(self) -> str | None:
        """Return the address of the first instance of the API."""
        api = self.of_role("api")
        port = None if api is None else self.ports.get(instance_name(api, 1))
        return None if port is None else f"http://{HOST}:{port}"

    def command(self, service: Service, number: int) -> tuple[str, ...]:
        """Return the command of one instance. Raises StartError for an open place that is not known."""
        values = self._values(service, number)
        return tuple(fill(part, values, f"the command of {service.name}") for part in service.command)

    def env(self, service: Service, number: int) -> dict[str, str]:
        """Return the environment of one instance. Raises StartError for an open place that is not known."""
        values = self._values(service, number)
        return {
            name: fill(value, values, f"{name} in the environment of {service.name}")
            for name, value in service.env.items()
        }

    def _values(self, service: Service, number: int) -> dict[str, str]:
        own: dict[str, object] = {
            "instance": instance_name(service, number),
            "port": self.port(service, number),
            "database_url": self.database_url,
            "api_url": self.api_url,
            **self._addresses(),
        }
        if any("{data}" in text for text in (*service.command, *service.env.values())):
            own["data"] = self.folder(service, number)
        known = {name: str(value) for name, value in own.items() if value is not None}
        known |= self.detours.get(instance_name(service, number), {})
        if "names" in service.prepared:
            known = {name: self._by_name(name, value) for name, value in known.items()}
        return {**self.given, **known}

    def _addresses(self) -> dict[str, object]:
        """Return host and port of each service's first instance, as in ``{redis_host}`` and ``{redis_port}``."""
        found: dict[str, object] = {}
        for service in self.services:
            port = self.ports.get(instance_name(service, 1))
            if port is not None:
                name = service.name.replace("-", "_")
                found |= {f"{name}_host": HOST, f"{name}_port": port}
        return found

    def folder(self, service: Service, number: int) -> Path | None:
        """Return the folder in which an instance may keep data, made when it is asked for."""
        if self.files is None:
            return None
        folder = self.files / instance_name(service, number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _by_name(self, field: str, value: str) -> str:
        """Return an address with the host name of the service in the place of its number."""
        role = {"database_url": "database", "api_url": "api"}.get(field)
        found = None if role is None else self.of_role(role)
        return value if found is None else value.replace(f"{HOST}:", f"{name_of(found.name)}:")


def instance_name(service: Service, number: int) -> str:
    """Return the name of an instance; a job has the name of its service."""
    return service.name if service.role == "job" else f"{service.name}-{number}"
