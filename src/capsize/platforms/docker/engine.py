"""The way to the Docker engine: found, asked from threads, its errors in our words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from capsize.core.errors import CapsizeError, UsageError
from capsize.platforms.local.waits import to_the_end

if TYPE_CHECKING:
    import docker

T = TypeVar("T")

CALL_LIMIT_S = 60
CALLS_AT_ONCE = 16
CONNECTIONS_MAX = 64
"""More than calls at once: every container that runs has one for its log."""


class EngineError(CapsizeError):
    """The engine refused, or did not answer."""


class Engine:
    """One engine. Its calls block for some milliseconds to seconds, so they are made in threads."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.cpus = float(client.info().get("NCPU") or 1)
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="docker")

    async def ask(self, call: Callable[..., T], *args: Any, **named: Any) -> T:
        """Make one call, to its end also when cancelled, and return its answer. Raises EngineError."""
        return await to_the_end(self._ask(call, args, named))

    async def _ask(self, call: Callable[..., T], args: tuple[Any, ...], named: dict[str, Any]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: spoken(call, *args, **named))

    def close(self) -> None:
        """Let go of the connections and threads."""
        self._threads.shutdown(wait=False)
        self.client.close()


def spoken(call: Callable[..., T], *args: Any, **named: Any) -> T:
    """Make one call here and now. Raises EngineError in the engine's own words."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        return call(*args, **named)
    except (DockerException, RequestException) as error:
        raise EngineError(words(error)) from error


def is_missing(error: EngineError) -> bool:
    """Tell whether an error says that the thing is not there (any more)."""
    from docker.errors import NotFound

    return isinstance(error.__cause__, NotFound)


def connect() -> Engine:
    """Return the engine that DOCKER_HOST names, else the one at its usual place. Raises UsageError."""
    where = os.environ.get("DOCKER_HOST") or "the usual socket (DOCKER_HOST is not set)"
    try:
        import docker
    except ImportError:
        raise UsageError(
            "the platform 'docker' needs the Python package docker: pip install 'capsize[docker]'"
        ) from None
    try:
        client = docker.from_env(timeout=CALL_LIMIT_S, max_pool_size=CONNECTIONS_MAX)
        spoken(client.ping)
    except (EngineError, docker.errors.DockerException, ValueError) as error:
        raise UsageError(
            f"no Docker engine answers at {where}: {words(error)}. "
            "Start one, set DOCKER_HOST, or take --platform local"
        ) from error
    return Engine(client)


def words(error: BaseException) -> str:
    """Return what an engine's error says, without what the layers below it wrap around."""
    explanation = getattr(error, "explanation", None)
    if explanation:
        return str(explanation)
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return str(error) or type(error).__name__
