"""How what was left on the machine is undone, as data, and whom to tell before anything is left there.

A step says what to undo, not how: :mod:`capsize.guardian` plays it. Each may be played at any time and more
than once; what is gone already is fine. A process is named by its id and the time of its creation, as
``psutil`` tells it in seconds since the epoch, so that a later one with the same number is never hit.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="undo", omit_defaults=True):
    """The root of all steps."""


class Run(Step, frozen=True, kw_only=True, tag="run"):
    """Run a command; it has worked when its exit code is one of ``ok``.

    ``gone`` is a command that exits with something else than 0 once nothing is left to undo. The step is
    skipped then, and after the command it is asked again: 0 means that something is still there. A command that
    takes longer than ``limit_s`` has failed.
    """

    argv: tuple[str, ...]
    gone: tuple[str, ...] | None = None
    ok: tuple[int, ...] = (0,)
    limit_s: float = 5.0


class Resume(Step, frozen=True, kw_only=True, tag="resume"):
    """Let a process and all that descends from it go on (SIGCONT)."""

    pid: int
    created: float


class End(Step, frozen=True, kw_only=True, tag="end"):
    """Kill a process and all that descends from it, frozen ones too (SIGKILL)."""

    pid: int
    created: float


class Unmount(Step, frozen=True, kw_only=True, tag="unmount"):
    """Unmount whatever is mounted at a path."""

    path: str


class RemoveFolder(Step, frozen=True, kw_only=True, tag="remove_folder"):
    """Remove a folder with all that is in it, or a single file."""

    path: str


class RemoveCgroup(Step, frozen=True, kw_only=True, tag="remove_cgroup"):
    """Remove a cgroup and those below it; processes inside go to its parent and are thawed."""

    path: str


class Place(Step, frozen=True, kw_only=True, tag="place"):
    """End every process of a local stack, wherever it is, and remove the stack's folder ``capsize-*``."""

    path: str


class Containers(Step, frozen=True, kw_only=True, tag="containers"):
    """Remove every Docker container, network and volume that bears a label, ``key=value``."""

    label: str


Undo = Run | Resume | End | Unmount | RemoveFolder | RemoveCgroup | Place | Containers


class Guard(Protocol):
    """Is told what will be left on the machine, and sees to it that it is undone if capsize does not."""

    def before(self, *steps: Undo, ttl_s: float | None = None) -> str:
        """Write down how to undo what is about to be done, and return a ticket.

        On return the steps are on the disk and known to the guardian, so call it BEFORE touching the machine.
        Steps stand in the order in which what they undo is done; they are played in reverse. When ``ttl_s``
        seconds pass without ``after``, they are played while capsize lives, and the run proves nothing.
        Without it the time to live is that of the strike under way, if there is one. Raises CapsizeError
        when nobody is there to guard.
        """
        ...

    def after(self, ticket: str) -> None:
        """Say that what the ticket stands for has been undone in order; again, or unknown, is fine."""
        ...
