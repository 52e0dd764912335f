"""A caller of a service's API, for the commands that speak HTTP and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from capsize.cli.options import DEFAULT_PORT
from capsize.core.errors import CapsizeError, UsageError
from capsize.core.http import Exchange, Request
from capsize.load.http import HttpClient, address

CALL_LIMIT_S = 30.0
FIRST_LIMIT_S = 10.0


class Answer(msgspec.Struct, frozen=True):
    """An answer, or why there is none (``status`` is 0 then). Header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """Return the body as JSON; None when it is none."""
        try:
            return msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return None

    def member(self, name: str) -> str:
        """Return a member of the JSON object that the body is, as text; empty when there is none."""
        found = self.json
        return str(found.get(name, "")) if isinstance(found, dict) else ""

    def __str__(self) -> str:
        return f"{self.status or 'no answer'}: {self.text[:200]}"


class Caller:
    """Calls one API; ``token`` goes into every request while it is set."""

    def __init__(self, base: str, client: HttpClient) -> None:
        self.base, self._client = base, client
        self.token = ""

    async def __call__(
        self, method: str, path: str, body: Any = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        """Send a request, with a body of JSON (bytes: as they are), and return what came of it."""
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        auth = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        request = Request(method=method, path=path, headers=(*auth, *headers), body=sent)
        return _answer(await self._client.send(request, CALL_LIMIT_S))


@asynccontextmanager
async def calling(base: str, hint: str, *, connections_max: int = 8) -> AsyncIterator[Caller]:
    """Call an API while the body runs. Raises CapsizeError, with a hint, when no server answers there."""
    from capsize.core.clock import MonotonicClock

    async with HttpClient.to(base, MonotonicClock(), connections_max=connections_max) as client:
        first = await client.send(Request(method="GET", path="/health/live"), FIRST_LIMIT_S)
        if first.response is None:
            raise CapsizeError(
                f"no server answers at {base}: {first.error}\n"
                f"Start one with ./scripts/test-server.sh, or name another {hint}."
            )
        yield Caller(base, client)


def base_url(url: str | None, port: int | None) -> str:
    """Return the address that was given, else that of a port of this machine. Raises UsageError."""
    if url is None:
        return f"http://127.0.0.1:{port or DEFAULT_PORT}"
    try:
        address(url)
    except UsageError as error:
        raise UsageError(f"--url: {error}") from None
    return url


def _answer(exchange: Exchange) -> Answer:
    if exchange.response is None:
        return Answer(0, {}, exchange.error or "")
    response = exchange.response
    return Answer(response.status, response.headers, response.body.decode(errors="replace"))
