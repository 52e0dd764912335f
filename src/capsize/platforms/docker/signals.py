"""Signals to a container's main process from outside: the engine takes them for a crash, and restarts it.

``docker kill`` would not do: the engine remembers that somebody wanted the container down.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from capsize.core.errors import InjectionError, Missed
from capsize.platforms.docker.engine import EngineError, spoken
from capsize.platforms.docker.marks import INSTANCE, SERVICE

HELP = 'grep -q "$2" "/proc/$1/cgroup" && kill -"$3" "$1"'
"""What the helper runs: the same check, and the signal."""


def send(pid: int, container: Any, number: signal.Signals) -> None:
    """Send a signal to a container's main process. Raises Missed when it is gone, InjectionError when it can't be hit.

    The process is known to be the container's by its control group, so nothing else is ever hit. Where we may not
    signal it, or do not see it, a helper does that may: a container that shares the engine's processes.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        _send_by_helper(pid, container, number)
        return
    try:
        if container.id not in _group(pid):
            _send_by_helper(pid, container, number)
            return
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        raise Missed(f"process {pid} of {container.name} is gone") from None
    except PermissionError:
        _send_by_helper(pid, container, number)
    finally:
        os.close(handle)


def _send_by_helper(pid: int, container: Any, number: signal.Signals) -> None:
    """Have a container of the same image send it, which takes some 100 ms more."""
    labels = {k: v for k, v in container.labels.items() if k not in (INSTANCE, SERVICE)}
    try:
        spoken(
            container.client.containers.run,
            container.attrs["Config"]["Image"],
            ["-c", HELP, "help", str(pid), container.id, str(int(number))],
            entrypoint="sh",
            labels=labels,
            pid_mode="host",
            network_mode="none",
            user="0",
            remove=True,
        )
    except EngineError as error:
        raise InjectionError(
            f"process {pid} of {container.name} could not be signalled, from here or by a helper: {error}. "
            "Run capsize on the engine's own machine, as root"
        ) from error


def _group(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
