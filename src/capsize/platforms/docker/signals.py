"""Signals to a container's main process from outside: the engine takes them for a crash, and restarts it.

``docker kill`` would not do: the engine remembers that somebody wanted the container down.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from capsize.core.errors import InjectionError, Missed

ADVICE = "run capsize on the engine's own machine, as root"


def send(pid: int, container: str, number: signal.Signals) -> None:
    """Send a signal to a container's main process. Raises Missed when it is gone, InjectionError when it can't be hit.

    The process is known to be the container's by its control group, so nothing else is ever hit.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        raise Missed(f"process {pid} of container {container[:12]} is gone") from None
    try:
        if container not in _group(pid):
            raise InjectionError(
                f"process {pid} is not seen here as one of container {container[:12]}: {ADVICE}"
            )
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        raise Missed(f"process {pid} of container {container[:12]} is gone") from None
    except PermissionError as error:
        raise InjectionError(f"process {pid} of a container may not be signalled: {ADVICE}") from error
    finally:
        os.close(handle)


def _group(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""
