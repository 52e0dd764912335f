"""The proxied connections of a stack: one proxy process, one proxy in it for each instance that connects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from capsize.core.errors import InjectionError
from capsize.core.experiment import Link
from capsize.core.platform import Route
from capsize.proxy.process import ProxyProcess

CLIENT, WITNESS = "client", "witness"
"""The ends of links that are no services: capsize's own calls, and its witness."""


class Links:
    """Starts the proxy when the first connection asks for one; without links nothing is started.

    ``host`` is where the proxies listen, ``token`` what their API asks for where that is no loopback address.
    ``env`` marks the process; with ``outlives`` it goes on when capsize ends, until somebody ends it by that mark.
    """

    def __init__(
        self,
        links: Sequence[Link],
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        token: str | None = None,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        outlives: bool = False,
    ) -> None:
        self._links, self._host = tuple(links), host
        self._process = ProxyProcess(
            listen=f"{host}:0",
            seed=seed,
            token=token,
            expose=token is not None,
            log=log,
            env=env,
            outlives=outlives,
        )
        self._routes: dict[str, Route] = {}
        self._addresses: dict[str, str] = {}

    def wanted(self, source: str, target: str) -> bool:
        """Return whether the connections between two services go through a proxy."""
        return Link(source=source, target=target) in self._links

    def routes(self) -> tuple[Route, ...]:
        """Return the connections that go through a proxy."""
        return tuple(self._routes.values())

    async def through(self, source: tuple[str, str], target: tuple[str, str], url: str) -> str:
        """Return the address by which an instance reaches another: through a proxy if the link asks for it.

        Both ends are (instance, service). ``url`` is the target's own address. An instance that is there for
        the second time keeps its proxy. Raises StartError and InjectionError.
        """
        if not self.wanted(source[1], target[1]):
            return url
        name = f"{source[0]}>{target[0]}"
        parts = urlsplit(url)
        if name not in self._addresses:
            await self._process.start()
            made = await self._process.call(
                "POST",
                "/proxies",
                {"name": name, "listen": f"{self._host}:0", "upstream": f"{parts.hostname}:{parts.port}"},
            )
            self._addresses[name] = str(made["listen"])
            self._routes[name] = Route(
                name=name,
                source=source[0],
                source_service=source[1],
                target=target[0],
                target_service=target[1],
            )
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{self._addresses[name]}"))

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control API. Raises InjectionError, also when no proxy runs."""
        if self._process.pid is None:
            raise InjectionError("no proxy runs: the experiment names no links, or its process has died")
        return await self._process.call(method, path, body)

    def let_go(self) -> None:
        """Forget the process and leave it running."""
        self._process.let_go()

    async def close(self) -> None:
        """End the proxy and all connections through it; may be called again."""
        await self._process.stop()
        self._routes.clear()
        self._addresses.clear()
