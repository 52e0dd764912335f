"""One process of ours: started in a session of its own, watched so that its end is noticed at once."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LAUNCH = Path(__file__).with_name("launch.py")

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
"""What an instance gets of the caller's environment; everything else would make runs depend on the caller."""


class Process:
    """A running process. ``code`` is its exit code, negative for a signal; None while it runs."""

    def __init__(self, popen: subprocess.Popen[bytes], on_exit: Callable[[int], None]) -> None:
        self.pid = popen.pid
        self.code: int | None = None
        self._popen = popen
        self._on_exit = on_exit
        self._gone = asyncio.Event()
        self._watch()

    @property
    def running(self) -> bool:
        """Return whether the process has not ended yet."""
        return self.code is None

    def signal(self, number: int) -> None:
        """Send a signal to the process itself, not to its children; nothing when it is gone."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def gone(self, limit_s: float | None = None) -> bool:
        """Wait until the process has ended; return whether it did so within the limit."""
        if limit_s is None:
            await self._gone.wait()
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), limit_s)
        return not self.running

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            # No pidfd (not Linux, or an old kernel): a thread waits instead.
            threading.Thread(target=self._wait_in_thread, args=(loop,), daemon=True).start()
            return
        loop.add_reader(fd, self._ended, loop, fd)

    def _ended(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        loop.remove_reader(fd)
        os.close(fd)
        # What it left behind goes too, as in a container. Before the process is reaped: until then its
        # number can't belong to anybody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._finish(self._popen.wait())

    def _wait_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._popen.wait()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._finish, code)

    def _finish(self, code: int) -> None:
        self.code = code
        self._on_exit(code)
        self._gone.set()


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: int,
    on_exit: Callable[[int], None],
    user: pwd.struct_passwd | None = None,
    cwd: Path | None = None,
    outlives: bool = False,
    joins: Sequence[Path] = (),
    binds: Sequence[tuple[Path, Path]] = (),
) -> Process:
    """Start a program with its output going to a file descriptor; ``user`` is whom to become, if anybody.

    It dies with this process unless it ``outlives`` it. ``joins`` are files of control groups to enter,
    ``binds`` pairs of a file of ours and the one of the machine's in whose place it sees it.

    ``on_exit`` is called with the exit code in the turn of the event loop that notices the end.
    """
    ids = ("-", "-") if user is None else (str(user.pw_uid), str(user.pw_gid))
    parent = "-" if outlives else str(os.getpid())
    around = (
        ":".join(str(file) for file in joins) or "-",
        ":".join(str(file) for pair in binds for file in pair) or "-",
    )
    popen = subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCH), parent, *ids, *around, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=passed_on() | dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    return Process(popen, on_exit)


def passed_on() -> dict[str, str]:
    """Return the part of the caller's environment that every instance gets."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}
