"""The server: GET and HEAD, on loopback, for callers that mean this machine."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from capsize.cli.reporting import one_run
from capsize.cli.serving import pages
from capsize.cli.serving.shelf import Shelf, Tail
from capsize.core.errors import CapsizeError
from capsize.report import document, metrics
from capsize.report.files import page
from capsize.rundir import RunDirectory

NEWS_S = 0.5
FOLLOWERS_MAX = 16
"""So many pages can follow runs at once; each has a thread."""
PAGES_MAX = 8
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
HTML, JSON, TEXT = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Serves one folder of runs."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.shelf, self.root = Shelf(root), root
        self.followers = BoundedSemaphore(FOLLOWERS_MAX)
        self._pages: OrderedDict[tuple[str, int, int], str] = OrderedDict()
        self._lock = Lock()

    def report(self, directory: RunDirectory) -> str:
        """Return the page of a run, made from its record when it is asked for; nothing is written."""
        stat = directory.history_path.stat()
        key = (str(directory.path), stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key not in self._pages:
                report = one_run(directory.path)
                self._pages[key] = page(report, directory.path, directory.experiment(), directory.history())
                while len(self._pages) > PAGES_MAX:
                    self._pages.popitem(last=False)
            self._pages.move_to_end(key)
            return self._pages[key]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a browser went away."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version = "capsize"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer with what the path names; a name is looked up, and never becomes a path of this machine."""
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host") or ""
        if host not in HOSTS:
            # A page from elsewhere that has its own name lead to this machine must not read it.
            self._say(HTTPStatus.FORBIDDEN, "this server answers only calls to 127.0.0.1 and localhost")
            return
        path = urlsplit(self.path).path
        try:
            self._route(path)
        except (CapsizeError, OSError, ValueError) as error:
            if isinstance(error, BrokenPipeError | ConnectionResetError | TimeoutError):
                raise
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")

    do_HEAD = do_GET

    def __getattr__(self, name: str) -> Callable[[], None]:
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._refuse

    def log_message(self, format: str, *args: object) -> None:
        """Write no log: the terminal says where it is, and that is enough."""

    # ------------------------------------------------------------ answers

    def _route(self, path: str) -> None:
        if path == "/":
            self._send(pages.index(self.server.shelf.entries(), str(self.server.root)), HTML, pages.policy())
            return
        if path == "/metrics":
            self._send(self._metrics(), metrics.CONTENT_TYPE)
            return
        name, _, what = path.removeprefix("/runs/").rpartition("/")
        directory = self.server.shelf.get(unquote(name)) if path.startswith("/runs/") else None
        answer = {
            "": self._run,
            "news": self._news,
            "report.json": self._json,
            "metrics": self._run_metrics,
        }.get(what)
        if directory is None or answer is None:
            self._say(HTTPStatus.NOT_FOUND, "there is nothing here; / lists the runs")
            return
        answer(directory, unquote(name))

    def _run(self, directory: RunDirectory, name: str) -> None:
        tail = Tail(directory)
        if tail.follow():
            self._send(pages.live(tail, name), HTML, pages.policy(pages.SCRIPT))
        elif tail.began is None:
            self._say(HTTPStatus.OK, f"{name} recorded nothing")
        else:
            # It brings a policy of its own.
            self._send(self.server.report(directory), HTML)

    def _json(self, directory: RunDirectory, name: str) -> None:
        self._send(document.run(one_run(directory.path)), JSON)

    def _run_metrics(self, directory: RunDirectory, name: str) -> None:
        self._send(_told([(name, directory)]), metrics.CONTENT_TYPE)

    def _metrics(self) -> str:
        """Return the figures of the newest runs."""
        return _told([*self.server.shelf.found().items()][: metrics.RUNS_MAX])

    def _news(self, directory: RunDirectory, name: str) -> None:
        """Tell how the run goes as server-sent events, until it is over or nobody listens."""
        if not self.server.followers.acquire(blocking=False):
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages follow runs; close one")
            return
        try:
            self._head(HTTPStatus.OK, "text/event-stream", None)
            self.close_connection = True
            tail = Tail(directory)
            while self.command == "GET":
                going = tail.follow()
                self._write(f"data: {json.dumps(pages.view(tail))}\n\n")
                if not going:
                    self._write("event: over\ndata: \n\n")
                    break
                time.sleep(NEWS_S)
        finally:
            self.server.followers.release()

    def _refuse(self) -> None:
        self.close_connection = True
        self._say(HTTPStatus.METHOD_NOT_ALLOWED, "this server only shows; use GET", {"Allow": "GET, HEAD"})

    def _say(self, status: HTTPStatus, text: str, more: dict[str, str] | None = None) -> None:
        self._send(text + "\n", TEXT, status=status, more=more)

    def _send(
        self,
        text: str,
        kind: str,
        policy: str | None = None,
        status: HTTPStatus = HTTPStatus.OK,
        more: dict[str, str] | None = None,
    ) -> None:
        body = text.encode()
        self._head(status, kind, len(body), policy, more)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(
        self,
        status: HTTPStatus,
        kind: str,
        length: int | None,
        policy: str | None = None,
        more: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            **({"Content-Security-Policy": policy} if policy else {}),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()

    def _write(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()


def _told(found: list[tuple[str, RunDirectory]]) -> str:
    """Return the figures of runs; one that can't be read is left out."""
    runs, judgements = [], {}
    for name, directory in found:
        with suppress(CapsizeError, ValueError):
            runs.append((name, directory.experiment(), directory.history()))
            if (judgement := directory.judgement()) is not None:
                judgements[name] = judgement
    return metrics.exposition(runs, judgements)


def listening(root: Path, port: int) -> Server:
    """Return a server that listens already. Raises OSError when the port is taken."""
    return Server(root, port)


__all__ = ["Handler", "Server", "listening"]
