"""The HTTP side of a queue: submit a task, ask for one, and say whether the broker can be reached."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from capsize_queues.base import Client


class Gateway(ThreadingHTTPServer):
    """Serves one client of a queue on ``PORT``. A broker that can't be reached is answered with 503."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, client: Client) -> None:
        super().__init__(("127.0.0.1", int(os.environ["PORT"])), _Handler)
        self.client = client


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_GET(self) -> None:
        """Answer ``/health``, ``/health/ready`` and ``/tasks/{id}``."""
        path = self.path.split("?")[0]
        if path == "/health":
            self._say(200, {"status": "ok"})
        elif path == "/health/ready":
            self._ask(200, self._ready)
        elif path.startswith("/tasks/"):
            task = unquote(path.removeprefix("/tasks/"))
            self._ask(200, lambda: {"id": task, "status": self.server.client.state(task)})
        else:
            self._say(404, {"error": "there is no such path"})

    def do_POST(self) -> None:
        """Take a task: ``POST /tasks {"seconds": 1.5}``."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/tasks":
            self._say(404, {"error": "there is no such path"})
            return
        try:
            seconds = float(json.loads(body)["seconds"])
        except (ValueError, KeyError, TypeError) as error:
            self._say(422, {"error": f'a task is {{"seconds": a number}}: {error!r}'})
            return
        self._ask(201, lambda: {"id": self.server.client.enqueue(seconds)})

    def _ready(self) -> dict[str, str]:
        self.server.client.ping()
        return {"status": "ready"}

    def _ask(self, status: int, ask: Callable[[], Any]) -> None:
        try:
            answer = ask()
        except Exception as error:  # whatever a library raises when its broker is away
            self._say(503, {"error": f"{type(error).__name__}: {error}"})
            return
        self._say(status, answer)

    def _say(self, status: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the log for what matters."""
