"""A stack that stays up when the command that started it has ended: ``capsize up``, ``status``, ``down``.

A supervisor process of its own (``supervisor.py``) holds the stack. What is known of it is in one folder,
``$XDG_STATE_HOME/capsize`` or ``~/.local/state/capsize``: ``stack.json``, ``stack.lock`` (held by the
supervisor as long as it lives, which is how a dead one is told from a living one) and ``logs/``. These
functions block; none needs an event loop.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from capsize.core.errors import CapsizeError, StartError, UsageError
from capsize.core.experiment import Link
from capsize.core.platform import Instance, Service
from capsize.guardian.registry import state_folder
from capsize.platforms.local.wire import raised

REPLY_LIMIT_S = 60.0
DOWN_LIMIT_S = 30.0


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of the stack that is up. ``started`` is in seconds since the epoch."""

    pid: int
    socket: str
    logs: str
    started: float
    api_url: str | None = None
    database_url: str | None = None
    platform: str = "local"


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A stack and its instances as of now."""

    state: StackState
    instances: tuple[Instance, ...]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor is started with, on its standard input."""

    folder: str
    services: tuple[Service, ...]
    fields: dict[str, str]
    links: tuple[Link, ...] = ()
    platform: str = "local"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A supervisor's answer, one line of JSON: an error and its kind, or a value. ``news`` comes before the answer."""

    news: str | None = None
    error: str | None = None
    kind: str = ""
    value: Any = None


def up(
    services: Sequence[Service],
    *,
    fields: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
    platform: str = "local",
    tell: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> StackState:
    """Start a stack that stays, and return when it is ready; ``tell`` gets a line for each step.

    ``links`` are the connections that go through a proxy, for the faults that disturb them. ``platform`` is
    ``local`` or ``docker``.

    Raises UsageError when a stack is up already, StartError when this one does not start; then, and when
    the caller is interrupted, nothing of it is left.
    """
    folder = folder or state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    current = read_state(folder)
    if current is not None:
        raise UsageError(
            f"a stack is up already (process {current.pid}, API at {current.api_url}). "
            "`capsize status` shows it, `capsize down` ends it"
        )
    order = Order(
        folder=str(folder),
        services=tuple(services),
        fields=dict(fields or {}),
        links=tuple(links),
        platform=platform,
    )
    with (folder / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "capsize.platforms.local.supervisor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        return _follow(supervisor, order, tell or (lambda _: None), folder)
    except BaseException:
        _end(supervisor)
        raise


def status(folder: Path | None = None) -> StackStatus | None:
    """Return the stack that is up with its instances, None when there is none. Raises CapsizeError."""
    folder = folder or state_folder()
    state = read_state(folder)
    if state is None:
        return None
    value = ask("status", folder=folder)
    return StackStatus(state=state, instances=msgspec.convert(value, tuple[Instance, ...]))


def ask(*words: str, folder: Path | None = None) -> Any:
    """Have the supervisor carry out one command and return what it answers.

    ``status``, ``offer`` (what it can do), ``down``, or a call of an ability as :class:`wire.Call` has it, in
    JSON. Raises UsageError when no stack is up, and when the command failed what the supervisor's platform raised.
    """
    state = read_state(folder or state_folder())
    if state is None:
        raise UsageError("no stack is up; `capsize up` starts one")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(REPLY_LIMIT_S)
            connection.connect(state.socket)
            connection.sendall(" ".join(words).encode() + b"\n")
            line = connection.makefile("rb").readline()
    except OSError as error:
        raise CapsizeError(
            f"the supervisor of the stack (process {state.pid}) does not answer: {error}. "
            "`capsize down` ends it"
        ) from error
    reply = msgspec.json.decode(line, type=Reply) if line else Reply(error="it ended without an answer")
    if reply.error is not None:
        raise raised(reply.kind, reply.error)
    return reply.value


def down(folder: Path | None = None) -> bool:
    """End the stack and return when it is gone; False when there was none. Raises CapsizeError.

    A supervisor that does not answer is told to end by SIGTERM, and killed when it does not.
    """
    folder = folder or state_folder()
    state = read_state(folder)
    if state is None:
        return False
    process = _process(state.pid)
    with suppress(CapsizeError):
        ask("down", folder=folder)
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if process is not None and number is not None:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if _unlocked(folder, DOWN_LIMIT_S):
            read_state(folder)
            return True
    raise CapsizeError(f"the supervisor of the stack (process {state.pid}) can't be ended")


def read_state(folder: Path) -> StackState | None:
    """Return the state of the stack that is up; clears away what a dead one left, and returns None then."""
    path = folder / "stack.json"
    try:
        state = msgspec.json.decode(path.read_bytes(), type=StackState)
    except (OSError, msgspec.DecodeError):
        return None
    if not _unlocked(folder, 0.0):
        return state
    path.unlink(missing_ok=True)
    shutil.rmtree(Path(state.socket).parent, ignore_errors=True)
    return None


def lock(folder: Path) -> int | None:
    """Take the lock of the one stack and return its descriptor; None when another process holds it."""
    fd = os.open(folder / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _unlocked(folder: Path, limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while (fd := lock(folder)) is None:
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    os.close(fd)
    return True


def _follow(
    supervisor: subprocess.Popen[bytes], order: Order, tell: Callable[[str], None], folder: Path
) -> StackState:
    """Hand the order over and read what the supervisor says until it is up or not."""
    if supervisor.stdin is None or supervisor.stdout is None:
        raise StartError("the supervisor has no pipes")
    with suppress(BrokenPipeError), supervisor.stdin as pipe:
        pipe.write(msgspec.json.encode(order))
    with supervisor.stdout as pipe:
        for line in pipe:
            reply = msgspec.json.decode(line, type=Reply)
            if reply.news is not None:
                tell(reply.news)
            elif reply.error is not None:
                raise StartError(reply.error)
            else:
                return msgspec.convert(reply.value, StackState)
    end = (folder / "supervisor.log").read_text(errors="replace")[-2000:]
    raise StartError(f"the supervisor ended before the stack was up.\n{end}")


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(DOWN_LIMIT_S)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def _process(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)
    return None
