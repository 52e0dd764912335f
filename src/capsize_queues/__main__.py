"""``python -m capsize_queues gateway|worker NAME``: one process of one queue's service."""

from __future__ import annotations

import importlib
import sys

from capsize_queues.gateway import Gateway

NAMES = ("arq", "celery", "dramatiq", "huey", "pgqueuer", "procrastinate", "rq", "taskiq")


def main() -> int:
    """Run the process that is asked for until it is told to end."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("prepare", "gateway", "worker") or sys.argv[2] not in NAMES:
        print(f"usage: python -m capsize_queues prepare|gateway|worker {'|'.join(NAMES)}", file=sys.stderr)
        return 64
    part, name = sys.argv[1:]
    queue = importlib.import_module(f"capsize_queues.{name}")
    if part == "prepare":
        queue.prepare()
    elif part == "worker":
        queue.worker()
    else:
        gateway = Gateway(queue.client())
        print("gateway ready", flush=True)
        gateway.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
