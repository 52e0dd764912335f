"""A small HTTP/1.1 client on asyncio streams: connections kept alive when asked for, every call bounded in time.

No redirects, no cookies, no compression: what a webhook and the witness need, and quick to import.
"""

import asyncio
import ssl
from collections import deque
from urllib.parse import SplitResult, urlsplit

import httptools

from capsize_starter.handlers.base import Response

BODY_MAX = 1 << 20

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Origin = tuple[str, str, int]


class HttpError(Exception):
    """The call failed: no connection, no answer in time, or an answer that is not HTTP."""


class _Answer:
    """Collects one response; the callbacks are httptools'."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.done = False
        self.reusable = False
        """Whether the connection may serve another request; the parser knows only until the message is complete."""
        self.ends_by_closing = False
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        self.ends_by_closing = not self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > BODY_MAX:
            raise HttpError(f"the answer is longer than {BODY_MAX} bytes")

    def on_message_complete(self) -> None:
        # An interim answer (100 Continue, 103 Early Hints) is followed by the real one.
        self.done = self.parser.get_status_code() >= 200
        self.reusable = self.parser.should_keep_alive()


class HttpClient:
    """Sends requests; with `keep_alive` idle connections are kept for the next one to the same origin.

    A kept connection may have been closed by the other side, which only the next request finds out. So keep alive
    is for calls that may be repeated.
    """

    def __init__(self, *, keep_alive: bool) -> None:
        self._keep_alive = keep_alive
        self._idle: dict[_Origin, deque[_Streams]] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout_s: float,
    ) -> Response:
        """Send one request and read the whole answer.

        Raises:
            HttpError: there was no answer in time, or no proper one. The request may have taken effect.
        """
        parts = urlsplit(url)
        origin = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(origin, self._compose(method, parts, body, headers or {}))
        except TimeoutError as error:
            raise HttpError(f"{method} {url}: no answer within {timeout_s:g} s") from error
        except (OSError, EOFError, httptools.HttpParserError) as error:
            raise HttpError(f"{method} {url}: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the kept connections."""
        for streams in self._idle.values():
            for _, writer in streams:
                writer.transport.abort()
        self._idle.clear()

    def _compose(self, method: str, parts: SplitResult, body: bytes, headers: dict[str, str]) -> bytes:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.rpartition("@")[2]
        lines = [f"{method} {target} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if not self._keep_alive:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def _send(self, origin: _Origin, request: bytes) -> Response:
        reader, writer = await self._connect(origin)
        try:
            writer.write(request)
            answer = _Answer()
            while not answer.done:
                data = await reader.read(65536)
                if not data:
                    # Without a length the end of the stream is the end of the body.
                    if answer.ends_by_closing:
                        break
                    raise EOFError("the connection was closed before the answer was complete")
                answer.parser.feed_data(data)
        except BaseException:
            writer.transport.abort()
            raise
        if self._keep_alive and answer.done and answer.reusable:
            self._idle.setdefault(origin, deque()).append((reader, writer))
        else:
            writer.close()
        return Response(answer.parser.get_status_code(), bytes(answer.body))

    async def _connect(self, origin: _Origin) -> _Streams:
        idle = self._idle.get(origin)
        while idle:
            reader, writer = idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.transport.abort()
        scheme, host, port = origin
        context = ssl.create_default_context() if scheme == "https" else None
        return await asyncio.open_connection(host, port, ssl=context)
