"""The control API on its address, with the proxies behind it."""

from __future__ import annotations

import asyncio
from types import TracebackType

from capsize.core.errors import StartError, UsageError
from capsize.proxy import address
from capsize.proxy.api import Api
from capsize.proxy.collection import Proxies
from capsize.proxy.errors import ApiError
from capsize.proxy.http_server import HttpConnection


class ControlServer:
    """Serves the API while it is entered; ``proxies`` are its proxies, ``url`` its address.

    Raises UsageError when it would listen for others without a token.
    """

    def __init__(
        self, listen: str = "127.0.0.1:0", *, seed: int = 0, token: str | None = None, expose: bool = False
    ):
        try:
            self._host, self._port = address.listening(listen)
        except ApiError as error:
            raise UsageError(str(error)) from error
        if token == "":
            raise UsageError("the token is empty; give one, or none to serve this machine alone")
        outside = not address.is_loopback(self._host)
        if outside and not expose:
            raise UsageError(f"{self._host} is not a loopback address; --expose allows it, with a token")
        if (outside or expose) and token is None:
            raise UsageError(
                "a proxy that others can reach needs a token: set CAPSIZE_PROXY_TOKEN or give --token"
            )
        self.proxies = Proxies(seed=seed, expose=expose)
        self._api = Api(self.proxies, token=token)
        self._connections: set[HttpConnection] = set()
        self._server: asyncio.AbstractServer | None = None
        self.url = ""

    async def __aenter__(self) -> ControlServer:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: HttpConnection(self._api.answer, self._connections), self._host, self._port
            )
        except OSError as error:
            raise StartError(f"the control API can't listen on {self._host}:{self._port}: {error}") from error
        name = self._server.sockets[0].getsockname()
        self.url = f"http://{address.text(name[0], name[1])}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self.proxies.__aexit__(kind, error, trace)
