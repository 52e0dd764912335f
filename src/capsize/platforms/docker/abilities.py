"""What can be done to the containers of a run, and to its database."""

from __future__ import annotations

import os
from typing import Any

from capsize.core.errors import InjectionError, Missed, UsageError
from capsize.core.platform import MemoryLimitable, Route, Shapable
from capsize.platforms.docker.box import Box
from capsize.platforms.docker.limits import ContainerLimits
from capsize.platforms.links import Links
from capsize.platforms.local.postgres import Superuser
from capsize.platforms.netns import Namespace, Shape, Shaper
from capsize.platforms.sessions import PostgresSession, Sessions


class Abilities:
    """The part of the platform that faults use; each method is that of a small protocol."""

    _boxes: dict[str, Box]
    _limits: ContainerLimits
    _links: Links
    _shaper: Shaper
    _superuser: Superuser | None
    _sessions: Sessions | None

    def lacks(self, ability: type) -> str | None:
        """Return why an ability is not to be had here; None when it is."""
        if ability in (MemoryLimitable, Shapable) and os.geteuid() != 0:
            return "a container's processes and network can only be entered by root"
        return None

    async def kill(self, instance: str) -> None:
        """Kill an instance's main process from outside, so that its restart policy applies."""
        await self._box(instance).kill()

    async def terminate(self, instance: str) -> None:
        """Ask an instance to end (SIGTERM; PostgreSQL: SIGINT) and return when it is gone."""
        await self._box(instance).terminate()

    async def stop(self, instance: str, *, hard: bool = False) -> None:
        """Stop an instance and keep it down until ``start``."""
        await self._box(instance).stop(hard=hard)

    async def start(self, instance: str) -> None:
        """Have an instance up and return when it is ready; nothing when it is."""
        await self._box(instance).start()

    async def pause(self, instance: str) -> None:
        """Freeze all processes of an instance, by its control group."""
        await self._box(instance).pause()

    async def resume(self, instance: str) -> None:
        """Let a frozen instance go on."""
        await self._box(instance).resume()

    async def detach(self, instance: str) -> None:
        """Take an instance off the network of the run."""
        await self._box(instance).detach()

    async def attach(self, instance: str) -> None:
        """Put it back, under its names and its old address."""
        await self._box(instance).attach()

    async def limit_cpu(self, instance: str, cores: float) -> str:
        """Leave an instance so many cores, its restarts too."""
        return await self._limits.limit_cpu(self._box(instance), cores)

    async def free_cpu(self, instance: str) -> None:
        """Give it back the cores that it had."""
        await self._limits.free_cpu(self._box(instance))

    async def starve(self, instance: str, limit: int | None) -> str:
        """Have the kernel kill an instance for want of memory; its restarts get ``limit`` bytes, if given."""
        return await self._limits.starve(self._box(instance), limit)

    async def feed(self, instance: str) -> None:
        """Give it back the memory that it had."""
        await self._limits.feed(self._box(instance))

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the database's superuser. Raises InjectionError."""
        if self._superuser is None:
            raise InjectionError("no database is running on this platform")
        return await self._superuser.query(sql, args)

    async def connect(self, label: str, *, as_service: bool = False) -> PostgresSession:
        """Open one more session on the database; it stays until ``disconnect``."""
        if self._sessions is None:
            raise InjectionError("no database is running on this platform")
        return await self._sessions.connect(label, as_service=as_service)

    async def disconnect(self, label: str) -> None:
        """End all sessions under a label and return when they are gone."""
        if self._sessions is not None:
            await self._sessions.disconnect(label)

    def routes(self) -> tuple[Route, ...]:
        """Return the connections that go through a proxy."""
        return self._links.routes()

    async def proxy(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the proxy's control API. Raises InjectionError."""
        return await self._links.call(method, path, body)

    async def shape_network(self, instance: str, **shape: Any) -> str:
        """Disturb all traffic of an instance in its container's network namespace."""
        pid = self._box(instance).instance.pid
        if pid is None:
            raise Missed(f"{instance} was not running")
        return await self._shaper.shape(instance, Namespace.of_process(pid), "eth0", Shape(**shape))

    async def unshape_network(self, instance: str) -> None:
        """Have it as it was; a container that was started again has a new one."""
        await self._shaper.unshape(instance)

    def _box(self, instance: str) -> Box:
        if instance not in self._boxes:
            raise UsageError(f"there is no instance {instance!r}. Known: {', '.join(self._boxes)}")
        return self._boxes[instance]
