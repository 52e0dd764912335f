"""A compose project as data: what its file says of each service, and what capsize makes of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["api", "worker", "database", "job", "other"]
ROLES: tuple[Role, ...] = ("api", "worker", "database", "job", "other")
ALLOW, ROLE = "capsize.allow", "capsize.role"
"""The labels by which a project says what may be broken, and what is what."""


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is built: a folder of this machine, and what its recipe is told."""

    context: str
    dockerfile: str = "Dockerfile"
    args: dict[str, str] = msgspec.field(default_factory=dict)
    target: str | None = None


class ComposeService(msgspec.Struct, frozen=True, kw_only=True):
    """One service as the file has it. ``ports`` are those inside its container; ``needs`` maps to conditions.

    ``command`` None is that of the image, ``own_entry`` keeps its entry point; ``mounts`` maps folders to volumes'
    names; ``more`` is the rest, in the words of the engine's API.
    """

    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None
    env: dict[str, str] = msgspec.field(default_factory=dict)
    ports: tuple[int, ...] = ()
    needs: dict[str, str] = msgspec.field(default_factory=dict)
    health: tuple[str, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    restart: bool = False
    cpu: float | None = None
    memory: int | None = None
    stop_grace_s: float = 10.0
    own_entry: bool = True
    mounts: dict[str, str] = msgspec.field(default_factory=dict)
    more: dict[str, Any] = msgspec.field(default_factory=dict)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A service with its role in the run, and for an API the port on which it listens inside its container."""

    service: ComposeService
    role: Role
    port: int | None = None

    @property
    def called(self) -> str:
        """Return its name in a run: scenarios know an ``api``, a ``worker`` and ``postgres``."""
        names = {"api": "api", "worker": "worker", "database": "postgres"}
        return names.get(self.role, self.service.name)


class ComposePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, in the order of starting; ``file`` is where it was read."""

    file: str
    parts: tuple[Part, ...]

    def lines(self) -> list[str]:
        """Return what a person is told before anything is started."""
        return [f"Compose project: {self.file}", *(f"  {_line(part)}" for part in self.parts)]


def _line(part: Part) -> str:
    origin = part.service.image or "an image of its own"
    port = "" if part.port is None else f", port {part.port}"
    return f"{part.service.name}: {part.role} ({origin}{port})"
