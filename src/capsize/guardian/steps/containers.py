"""Docker objects that bear a label, removed by the engine's own HTTP API.

The SDK would take longer to load than the removal takes, and the guardian has two seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from capsize.core.errors import HealError
from capsize.core.undo import Containers

LIMIT_S = 10.0
SIDE_BY_SIDE = 8
ON_ITS_WAY_S = 0.5
"""How long the engine may take, on a machine that is not busy, for what it was asked just before the asker died."""
SOCKETS = (Path("/var/run/docker.sock"), Path.home() / ".docker/run/docker.sock")
GONE = (404, 409)
"""409: another one is removing it just now. That it is gone is looked at again afterwards."""


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self._path)


def remove_containers(step: Containers) -> None:
    """Remove all containers, then networks and volumes with the label. Raises HealError.

    What the dead process had asked for may come to be after it died: it is done when a second look, a moment after
    the first, finds nothing either.
    """
    for pause_s in (0.0, ON_ITS_WAY_S, ON_ITS_WAY_S):
        time.sleep(pause_s)
        if not _left(step.label) and pause_s:
            return
        _remove_all(step.label)
    left = _left(step.label)
    if left:
        raise HealError(f"still there with the label {step.label}: {', '.join(one[:12] for one in left)}")


def _remove_all(label: str) -> None:
    _for_each(_ids("/containers/json?all=1&", label, "Id"), _remove_container)
    _for_each(
        _ids("/networks?", label, "Id"),
        lambda one: _call("DELETE", f"/networks/{one}", allowed=(*GONE, 403)),
    )
    _for_each(
        _ids("/volumes?", label, "Name"),
        lambda one: _call("DELETE", f"/volumes/{quote(one)}?force=1", allowed=GONE),
    )


def _left(label: str) -> list[str]:
    return [
        *_ids("/containers/json?all=1&", label, "Id"),
        *_ids("/networks?", label, "Id"),
        *_ids("/volumes?", label, "Name"),
    ]


def _remove_container(one: str) -> None:
    # A frozen one does not die before it is thawed.
    _call("POST", f"/containers/{one}/unpause", allowed=(*GONE, 500))
    _call("DELETE", f"/containers/{one}?force=1&v=1", allowed=GONE)


def _for_each(ids: Iterable[str], remove: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(remove, ids))


def _ids(path: str, label: str, name: str) -> list[str]:
    filters = quote(json.dumps({"label": [label]}))
    found = _call("GET", f"{path}filters={filters}")
    if isinstance(found, dict):
        found = found.get("Volumes") or []
    return [one[name] for one in found]


def _call(method: str, path: str, *, allowed: tuple[int, ...] = ()) -> Any:
    connection = _connection()
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise HealError(f"Docker does not answer, and may still have something of ours: {error}") from error
    finally:
        connection.close()
    if answer.status >= 400 and answer.status not in allowed:
        raise HealError(f"Docker answered {method} {path} with {answer.status}: {body.decode()[:300]}")
    return json.loads(body) if body else None


def _connection() -> http.client.HTTPConnection:
    host = urlsplit(os.environ.get("DOCKER_HOST", ""))
    if host.scheme == "tcp" and host.hostname:
        return http.client.HTTPConnection(host.hostname, host.port or 2375, timeout=LIMIT_S)
    if host.scheme == "unix":
        return _Unix(host.path)
    found = next((path for path in SOCKETS if path.exists()), SOCKETS[0])
    return _Unix(str(found))
