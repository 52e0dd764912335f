"""What is done to every request: measure it, and refuse a body that is too large or too slow.

Plain ASGI, because a wrapper class per request costs more than the whole rest of a small answer.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from capsize_starter.api.metrics import RequestMetrics
from capsize_starter.api.problems import Kind, Problem, problem_response
from capsize_starter.db import allowance
from capsize_starter.log import EventLog

log = EventLog("starter.api")

UNMATCHED = "other"
NO_ANSWER = 499
"""The status counted for a request whose client was gone before there was an answer."""


class Measured:
    """Counts requests and their latency by route template and status; answers 500 to what nobody caught.

    A request may wait for the database for `database_s` in all.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, database_s: float) -> None:
        self._app = app
        self._metrics = metrics
        self._database_s = database_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics = self._metrics
        started = time.perf_counter()
        status = NO_ANSWER

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        metrics.in_flight += 1
        try:
            with allowance(self._database_s):
                await self._app(scope, receive, watch)
        except Exception:
            # The traceback goes to the log and nothing of it to the client.
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            if status != NO_ANSWER:
                raise
            await problem_response(Problem(Kind.INTERNAL))(scope, receive, watch)
        finally:
            metrics.in_flight -= 1
            metrics.record(_known(scope["method"]), _route(scope), status, time.perf_counter() - started)


class BodyLimit:
    """Answers 413 to a body over `limit` bytes, declared or not, and 408 to one that takes over `timeout_s`."""

    def __init__(self, app: ASGIApp, limit: int, timeout_s: float) -> None:
        self._app = app
        self._limit = limit
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared_length(scope)
        if declared == 0:
            await self._app(scope, receive, send)
        elif declared is not None and declared > self._limit:
            await self._refuse(Kind.TOO_LARGE, scope, receive, send)
        else:
            await self._watched(scope, receive, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0
        whole = False
        until = asyncio.get_running_loop().time() + self._timeout_s

        async def counted() -> Message:
            nonlocal seen, whole
            if whole:  # what comes now is only the news that the client has gone, whenever that is
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise _Refused(Kind.SLOW_BODY) from None
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > self._limit:
                raise _Refused(Kind.TOO_LARGE)
            return message

        try:
            await self._app(scope, counted, send)
        except _Refused as refused:
            await self._refuse(refused.kind, scope, receive, send)

    async def _refuse(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"At most {self._limit} bytes are taken, within {self._timeout_s:g} s."
        # What was not read of the body would be taken for the next request: close.
        problem = Problem(kind, detail, headers={"Connection": "close"})
        await problem_response(problem)(scope, receive, send)


class _Refused(BaseException):
    """The body is not wanted any more while it is read.

    Not an `Exception`: whatever reads the body would turn one into an answer of its own. No answer can have
    begun, because every route reads its body first.
    """

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


def _declared_length(scope: Scope) -> int | None:
    """The body's length in bytes, or None when it comes in chunks."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value)
    return length


def _route(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else UNMATCHED


def _known(method: str) -> str:
    # A client may invent methods; the labels must stay few.
    return method if method in _METHODS else "OTHER"


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
