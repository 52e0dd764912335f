"""One announcement, delivered to the witness or, after a second of trying, logged and dropped."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
import time
import uuid
from typing import Literal
from urllib.parse import urlsplit

Event = Literal["started", "finished", "recorded", "abandoned", "failed"]

TRY_FOR_S = 1.0
CALL_LIMIT_S = 0.5
PAUSE_S = 0.05

_log = logging.getLogger("capsize_witness")


def watched() -> bool:
    """Tell whether there is a witness to announce to."""
    return bool(os.environ.get("WITNESS_URL"))


def wanted(kind: str) -> bool:
    """Tell whether tasks of a kind are to be announced: all, or those named in ``WITNESS_TASKS`` (``a,b``).

    A library's own housekeeping and what nobody submitted through capsize would only be taken for tasks that
    were made twice. A kind with dots is also known by its last part.
    """
    names = os.environ.get("WITNESS_TASKS")
    return names is None or not {kind, kind.rsplit(".", 1)[-1]}.isdisjoint(names.split(","))


def worker_name() -> str:
    """Return the name by which capsize knows this worker: ``WORKER_ID``, which it sets, or host and process."""
    return os.environ.get("WORKER_ID") or f"{socket.gethostname()}-{os.getpid()}"


def announce(event: Event, task: str, *, kind: str | None = None, worker: str | None = None) -> bool:
    """Tell the witness of one event and return whether it took it.

    ``task`` is the id that the service gave the task when it was submitted, ``kind`` its name in the code, by which
    :func:`wanted` may leave it out. Returns when the witness has
    answered, so that what comes next in the worker comes later in the record too. Never raises: the witness is an
    instrument, and a service must not fail because of it. False also when there is no witness.
    """
    url = os.environ.get("WITNESS_URL")
    if not url or (kind is not None and not wanted(kind)):
        return False
    # One id for all tries: an announcement whose answer was lost is not heard twice.
    body = {"task": str(task), "event": event, "worker": worker or worker_name(), "id": uuid.uuid4().hex}
    data, give_up = json.dumps(body).encode(), time.monotonic() + TRY_FOR_S
    while True:
        try:
            return _deliver(url, data)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() + PAUSE_S >= give_up:
                _log.warning("the witness was not told that %s %s: %s", task, event, error)
                return False
            time.sleep(PAUSE_S)


async def announce_soon(
    event: Event, task: str, *, kind: str | None = None, worker: str | None = None
) -> bool:
    """Do the same without holding up the event loop; returns when the witness has answered."""
    if not watched():
        return False
    return await asyncio.to_thread(announce, event, task, kind=kind, worker=worker)


def _deliver(url: str, data: bytes) -> bool:
    """Send it over a connection of its own, which is safe after a fork. A refusal is not tried again."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=CALL_LIMIT_S)
    try:
        connection.request(
            "POST", f"{parts.path.rstrip('/')}/events", data, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        _log.warning("the witness refused an announcement: %s %s", answer.status, data.decode())
    return answer.status < 300
