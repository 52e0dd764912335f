"""A service of three functions for tests of platforms: answers, waits, has children, ends when told to.

    tiny_api.py PORT [--host HOST] [--ignore-term] [--children N] [--say TEXT] [--exit CODE] [--start-delay SECONDS]

PORT 0 means that it serves nothing. It answers every GET with 200 and its process number.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from os import getpid


class Handler(BaseHTTPRequestHandler):
    """Answers with the number of its process."""

    def do_GET(self) -> None:
        """Answer 200."""
        body = str(getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def main() -> None:
    """Do as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--children", type=int, default=0)
    parser.add_argument("--say", default="")
    parser.add_argument("--exit", type=int, default=None)
    parser.add_argument("--start-delay", type=float, default=0.0)
    options = parser.parse_args()
    how = signal.SIG_IGN if options.ignore_term else lambda *_: sys.exit(0)
    signal.signal(signal.SIGTERM, how)
    if options.say:
        print(options.say)
    if options.exit is not None:
        sys.exit(options.exit)
    for number in range(options.children):
        # Every other one in a session of its own, as PostgreSQL's backends are.
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=number % 2 == 1
        )
    time.sleep(options.start_delay)
    if options.port:
        HTTPServer((options.host, options.port), Handler).serve_forever()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
