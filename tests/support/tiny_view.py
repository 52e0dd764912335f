"""An HTTP server that tells what its process sees of the world: run as a script, ``tiny_view.py PORT [FOLDER]``.

``/`` answers JSON with the wall clock, the monotonic clock and its process number; ``/resolve/NAME`` with the
address of a host name, or why there is none; ``/write`` writes a file into FOLDER and answers the error, if any.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def look(path: str) -> dict[str, object]:
    """Return what is seen."""
    if path.startswith("/resolve/"):
        try:
            return {"address": socket.getaddrinfo(path.removeprefix("/resolve/"), 1, socket.AF_INET)[0][4][0]}
        except OSError as error:
            return {"error": str(error)}
    if path == "/write" and FOLDER is not None:
        try:
            (FOLDER / "file").write_bytes(b"x" * 10_000)
        except OSError as error:
            return {"errno": error.errno}
        return {"errno": None}
    return {"wall": time.time(), "monotonic": time.monotonic(), "pid": os.getpid()}


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        """Answer with what is seen."""
        body = json.dumps(look(self.path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
