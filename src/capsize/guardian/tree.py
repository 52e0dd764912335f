"""A process with everything that descends from it: frozen, thawed and killed together.

PostgreSQL gives each of its backends a session of its own, so that a signal to the process group would reach
the postmaster alone. These functions block for some milliseconds: call them in a thread.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from capsize.core.errors import InjectionError

LIMIT_S = 5.0
ROUNDS_MAX = 100


def members(leader: int) -> list[psutil.Process]:
    """Return the process, its descendants, and what is left in its session, without those that are dead."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(leader)
        found = {p.pid: p for p in (process, *process.children(recursive=True))}
    for pid in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):
            if pid not in found and os.getsid(pid) == leader:
                found[pid] = psutil.Process(pid)
    return [process for process in found.values() if alive(process)]


def alive(process: psutil.Process) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def freeze(leader: int) -> list[psutil.Process]:
    """Stop all of them and return them when every one stands still. Raises InjectionError."""
    frozen = _stop_all(lambda: members(leader), f"process {leader}")
    _until(lambda: all(not alive(p) or _stopped(p) for p in frozen), f"process {leader} did not stand still")
    return frozen


def thaw(leader: int) -> None:
    """Let all of them go on and return when none stands still. Raises InjectionError."""
    for process in members(leader):
        _send(process, signal.SIGCONT)
    _until(lambda: not any(_stopped(p) for p in members(leader)), f"process {leader} did not go on")


def kill(leader: int) -> None:
    """Kill all of them and return when they are gone. Raises InjectionError."""
    end_all(lambda: members(leader), f"process {leader} or a child of it")


def end_all(find: Callable[[], list[psutil.Process]], what: str) -> None:
    """Kill every process that is found and return when they are gone. Raises InjectionError.

    They are stopped first, so that none can start another while the list is made.
    """
    victims = _stop_all(find, what)
    for process in victims:
        _send(process, signal.SIGKILL)
    _until(lambda: not any(alive(p) for p in victims), f"{what} did not die")


def _stop_all(find: Callable[[], list[psutil.Process]], what: str) -> list[psutil.Process]:
    stopped: dict[int, psutil.Process] = {}
    for _ in range(ROUNDS_MAX):
        fresh = [process for process in find() if process.pid not in stopped]
        if not fresh:
            return list(stopped.values())
        for process in fresh:
            _send(process, signal.SIGSTOP)
            stopped[process.pid] = process
    raise InjectionError(f"{what} starts children faster than they can be stopped")


def _stopped(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _until(seen: Callable[[], bool], otherwise: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not seen():
        if time.monotonic() > limit:
            raise InjectionError(f"{otherwise} within {LIMIT_S:g} s")
        time.sleep(0.001)
