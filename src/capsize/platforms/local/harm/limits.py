"""Resource limits of running processes (``prlimit``): lowered now, given back later."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from capsize.core.errors import CapsizeError, HealError, InjectionError
from capsize.core.undo import Guard, Run
from capsize.platforms.local.harm.prlimit import main, started

SCRIPT = Path(__file__).with_name("prlimit.py")
SET_LIMIT_S = 10.0


@dataclass(frozen=True)
class Lowered:
    """A limit that was lowered, with all that is needed to give it back."""

    back: tuple[str, ...]
    pid: int
    ticket: str


@dataclass
class Limits:
    """The lowered limits of one resource, by instance. Blocks for some 20 ms per process: call it in a thread."""

    which: int
    guard: Guard
    _lowered: dict[str, list[Lowered]] = field(default_factory=dict)

    def lower(self, instance: str, pid: int, soft: int) -> int | None:
        """Lower the soft limit of a process and return what it had, None when it is gone. Raises InjectionError."""
        since = started(pid)
        try:
            before, hard = resource.prlimit(pid, self.which) if since else (0, 0)
        except PermissionError:
            # Another user's: read where everybody may look.
            before, hard = _read(pid, self.which)
        except ProcessLookupError:
            return None
        if since is None:
            return None
        wanted = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        back = _command(pid, since, self.which, before)
        lowered = Lowered(back, pid, self.guard.before(Run(argv=back)))
        self._lowered.setdefault(instance, []).append(lowered)
        _set(_command(pid, since, self.which, wanted), InjectionError)
        return before

    def restore(self, instance: str) -> None:
        """Give back what was lowered, the last first; processes that are gone need nothing. Raises HealError."""
        lowered = self._lowered.get(instance, [])
        while lowered:
            _set(lowered[-1].back, HealError)
            self.guard.after(lowered.pop().ticket)

    def forget(self) -> None:
        """The processes are gone, and their limits with them."""
        for lowered in self._lowered.values():
            for one in lowered:
                self.guard.after(one.ticket)
        self._lowered.clear()


def _command(pid: int, since: str, which: int, soft: int) -> tuple[str, ...]:
    uid, gid = _owner(pid)
    return (sys.executable, "-I", "-S", str(SCRIPT), uid, gid, str(pid), since, str(which), str(soft))


def _owner(pid: int) -> tuple[str, str]:
    """Return whom one must be to set a process's limits; ``-`` when that is who we are."""
    try:
        process = psutil.Process(pid)
        uids, gids = process.uids(), process.gids()
    except psutil.NoSuchProcess:
        return "-", "-"
    ours = psutil.Process()
    return ("-", "-") if uids.real == ours.uids().real else (str(uids.real), str(gids.real))


def _read(pid: int, which: int) -> tuple[int, int]:
    names = {resource.RLIMIT_NOFILE: "Max open files", resource.RLIMIT_AS: "Max address space"}
    for line in Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith(names[which]):
            soft, hard = line[len(names[which]) :].split()[:2]
            return _number(soft), _number(hard)
    raise InjectionError(f"the limits of process {pid} can't be read")


def _number(text: str) -> int:
    return resource.RLIM_INFINITY if text == "unlimited" else int(text)


def _set(command: tuple[str, ...], error: type[CapsizeError]) -> None:
    arguments = command[command.index(str(SCRIPT)) + 1 :]
    if arguments[0] == "-":
        # Our own user's: no process of its own is needed for it.
        if main(*arguments) != 0:
            raise error(f"the limit of process {arguments[2]} could not be set")
        return
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SET_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise error(f"the limit could not be set within {SET_LIMIT_S:g} s") from None
    if done.returncode != 0:
        raise error(done.stderr.strip() or "the limit could not be set")
