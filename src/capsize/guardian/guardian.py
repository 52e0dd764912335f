"""The guardian as capsize sees it: started before anything is left on the machine, told of each step, ended last."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

from capsize.core.errors import CapsizeError
from capsize.core.undo import Undo
from capsize.guardian.lifetime import CURRENT
from capsize.guardian.log import After, Before, Book, Closed, Healed, Opened, UndoLog
from capsize.guardian.owner import Owner
from capsize.guardian.registry import register, unregister
from capsize.guardian.watch import CHUNK, READY

REVIVALS_MAX = 3
READY_LIMIT_S = 30.0
END_LIMIT_S = 60.0
GOING_S = 1.0
"""A process whose output is closed is gone within this; one that is not hangs."""


class GuardianLost(CapsizeError):
    """The guardian can't be kept alive; nobody would heal what capsize leaves when it dies."""


class Guardian:
    """A :class:`~capsize.core.undo.Guard` with a process behind it; an async context.

    ``tell`` gets what the guardian played while capsize lives, ``warn`` a line when it had to be started again.
    A guardian that dies is started again, and learns from the log what is open; after ``REVIVALS_MAX`` times
    the run must stop: :meth:`raise_lost` and :meth:`before` raise GuardianLost then.
    """

    def __init__(
        self, log: Path, *, tell: Callable[[Healed], None], warn: Callable[[str], None] = lambda _: None
    ) -> None:
        self._log = UndoLog(log.absolute())
        self._tell, self._warn = tell, warn
        self._note: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tickets = self._revivals = 0
        self._lost = ""
        self._began = self._closing = False
        self._rest = b""
        self._ready, self._gone = asyncio.Event(), asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Return the guardian's process id, None when there is none."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> UndoLog:
        """Return the log, for what is said of strikes."""
        return self._log

    # ------------------------------------------------------------ beginning and end

    async def __aenter__(self) -> Guardian:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Start the process, unless it was, and return at once; what it is told meanwhile waits in its pipe.

        Raises GuardianLost.
        """
        if self._began:
            return
        self._began = True
        owner = Owner.of(os.getpid())
        try:
            self._log.append(Opened(t=time.time(), owner=owner))
        except OSError as error:
            raise GuardianLost(f"the undo log can't be written, so nothing may be broken: {error}") from error
        try:
            self._note = register(self._log.path, owner)
        except OSError as error:
            self._warn(
                f"the state folder can't be written to, `capsize heal --all` will not know of this: {error}"
            )
        self._spawn()

    async def ready(self) -> None:
        """Return when the guardian is at work; before that nothing should be struck. Raises GuardianLost."""
        try:
            async with asyncio.timeout(READY_LIMIT_S):
                while not self._ready.is_set():
                    self.raise_lost()
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise GuardianLost(f"the guardian did not start within {READY_LIMIT_S:g} s") from None

    async def close(self) -> None:
        """End the guardian, which heals what is still open and tells of it; may be called again."""
        if self._lost and not Book.read(self._log.path).open:
            # Nobody is there to close it, and nothing was left.
            unregister(self._note)
        if self._process is None or self._closing:
            return
        self._closing = True
        try:
            self._send(msgspec.json.encode(Closed(t=time.time())) + b"\n")
            async with asyncio.timeout(END_LIMIT_S):
                await self._gone.wait()
        except (TimeoutError, OSError):
            self._warn(f"the guardian did not end within {END_LIMIT_S:g} s")
        finally:
            # Should we be cut short here, the end of its input tells it that we are gone.
            self._drop()

    # ------------------------------------------------------------ Guard

    def before(self, *steps: Undo, ttl_s: float | None = None) -> str:
        """Write steps down and tell the guardian. Raises GuardianLost, and OSError when the disk refuses.

        The first step starts it: a platform may have to try the machine out before the run begins.
        """
        self.raise_lost()
        self.start()
        self._tickets += 1
        now = CURRENT.get()
        ticket = Before(
            t=time.time(),
            ticket=f"{os.getpid()}-{self._tickets}",
            steps=steps,
            ttl_s=ttl_s if ttl_s is not None or now is None else now.ttl_s,
            strike=now.strike if now else "",
        )
        self._pass_on(self._log.append(ticket))
        return ticket.ticket

    def after(self, ticket: str) -> None:
        """Write down that it is undone. Never raises: played once more, a step does no harm."""
        line = After(t=time.time(), ticket=ticket)
        try:
            # Forgotten, it costs a step that finds nothing to do; waiting for the disk would hold up the run.
            encoded = self._log.append(line, durable=False)
        except OSError:
            encoded = msgspec.json.encode(line) + b"\n"
        with suppress(GuardianLost):
            self._pass_on(encoded)

    def raise_lost(self) -> None:
        """Raise GuardianLost when nobody guards any more."""
        if self._lost:
            raise GuardianLost(self._lost)

    # ------------------------------------------------------------ inside

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "capsize.guardian", str(self._log.path)]
        try:
            self._process = subprocess.Popen(
                command + ([str(self._note)] if self._note else []),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # What ends capsize's whole group, or closes its terminal, must not reach it.
                start_new_session=True,
            )
        except OSError as error:
            self._lost = f"the guardian can't be started: {error}"
            raise GuardianLost(self._lost) from error
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        asyncio.get_running_loop().add_reader(self._out(), self._heard)

    def _out(self) -> int:
        if self._process is None or self._process.stdout is None:
            raise GuardianLost("there is no guardian")
        return self._process.stdout.fileno()

    def _send(self, line: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise GuardianLost("there is no guardian")
        sent = os.write(self._process.stdin.fileno(), line)
        if sent != len(line):
            raise BlockingIOError("the guardian does not read")

    def _pass_on(self, line: bytes) -> None:
        try:
            self._send(line)
        except OSError:
            # Dead, or it does not read: the next one finds the line in the log.
            self._revive()

    def _heard(self) -> None:
        try:
            data = os.read(self._out(), CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._ended()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line + b"\n" == READY:
                self._ready.set()
                continue
            entry = Book().take(line)
            if isinstance(entry, Healed):
                self._tell(entry)

    def _ended(self) -> None:
        if self._closing:
            asyncio.get_running_loop().remove_reader(self._out())
            self._gone.set()
            return
        # Whoever asks is told that it is lost: :meth:`raise_lost`.
        with suppress(GuardianLost):
            self._revive()

    def _revive(self) -> None:
        """Start another one in the place of one that died; give up after a few."""
        code = self._drop()
        self._rest = b""
        self._ready.clear()
        if self._revivals >= REVIVALS_MAX:
            self._lost = (
                f"the guardian ended {self._revivals + 1} times, at last with {code}; "
                "without one nobody heals if capsize dies"
            )
            raise GuardianLost(self._lost)
        self._revivals += 1
        self._warn(f"the guardian ended with {code} and was started again")
        self._spawn()

    def _drop(self) -> int | None:
        """Let go of the process and return its exit code, None when it still heals something."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.stdout is not None:
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(process.stdout.fileno())
            process.stdout.close()
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            return process.wait(GOING_S)
        except subprocess.TimeoutExpired:
            if self._closing:
                return None
            process.kill()
            return process.wait()
