"""Who made something: a process, told from a later one with its number, and from one of another machine."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import msgspec
import psutil

CLOCKS_DIFFER_S = 1.0
"""How far two readings of one process's creation may lie apart, after the clock was set for instance."""


class Owner(msgspec.Struct, frozen=True):
    """A process. ``space`` names the boot and the container in which its number counts."""

    pid: int
    created: float
    space: str

    @classmethod
    def of(cls, pid: int) -> Owner:
        """Return the identity of a process that runs. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time(), space())

    @property
    def here(self) -> bool:
        """Return whether its number means anything here: the same boot, the same container."""
        return self.space == space()

    @property
    def rebooted(self) -> bool:
        """Return whether the machine, or whatever ran in its place, was started anew since."""
        return self.space.partition(" ")[2] != space().partition(" ")[2]

    def lives(self) -> bool:
        """Return whether it runs still. Only to be asked of one that is from here."""
        try:
            return (
                bool(same(self.pid, self.created))
                and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False


def same(pid: int, created: float) -> bool | None:
    """Return whether a number still stands for the process that was created then; None when it stands for none.

    A process that is dead and not yet waited for still has its number.
    """
    try:
        return abs(psutil.Process(pid).create_time() - created) < CLOCKS_DIFFER_S
    except psutil.NoSuchProcess:
        return None


@cache
def space() -> str:
    """Return the name of the space of process numbers that we live in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{os.readlink('/proc/self/ns/pid')} {boot}"
    except OSError:
        return f"{platform.node()} {psutil.boot_time():.0f}"
