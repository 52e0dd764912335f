"""One HTTP request over a connection of its own: for callbacks, and to speak to a proxy's control API."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httptools

from capsize.core.errors import UsageError


class _Answer:
    """Gathers the parts of an answer."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def request(
    method: str, url: str, body: bytes | None = None, *, token: str | None = None
) -> tuple[int, bytes]:
    """Return status and body of the answer. Only ``http``; raises OSError when there is no answer."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"{url!r} is no http URL")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        writer.write(_head(method, parts.netloc, parts.path or "/", parts.query, body, token) + (body or b""))
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        while not answer.complete:
            data = await reader.read(65536)
            if not data:
                break
            parser.feed_data(data)
        if not answer.complete and parser.get_status_code() == 0:
            raise ConnectionResetError(f"{url} closed without an answer")
        return int(parser.get_status_code()), answer.body
    except httptools.HttpParserError as error:
        raise ConnectionError(f"{url} answered no HTTP: {error}") from error
    finally:
        writer.close()


def _head(method: str, host: str, path: str, query: str, body: bytes | None, token: str | None) -> bytes:
    lines = [f"{method} {path}{'?' + query if query else ''} HTTP/1.1", f"host: {host}", "connection: close"]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    if token is not None:
        lines.append(f"authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
