"""A service that capsize did not start: it can be called and looked at, not harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from capsize.core.errors import NotSupported, StartError, UsageError
from capsize.core.platform import Instance, Service

CONNECT_LIMIT_S = 10.0


class RemotePlatform:
    """Whatever answers at a base URL. It has none of the abilities that a fault could ask for."""

    name = "remote"

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise UsageError(
                f"BASE_URL is {base_url!r}; give http://HOST:PORT or https://HOST without a path"
            )
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)

    async def up(self, services: Sequence[Service]) -> None:
        """See that something listens; nothing is started."""
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise StartError(
                f"nothing answers at {self.api_url}: {error or 'no connection in time'}. "
                "Start the service, or leave BASE_URL out and capsize starts its own"
            ) from error
        writer.close()

    async def down(self) -> None:
        """Leave the service as it is."""

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return nothing: what runs there is not ours to know."""
        return ()

    @property
    def api_url(self) -> str:
        """Return the base URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    @property
    def database_url(self) -> str:
        """Raise NotSupported: the service's database is its own affair."""
        raise NotSupported("the database of a service that capsize did not start is not known")
