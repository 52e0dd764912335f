"""The temporary folder of one stack, marked with its owner so that what a dead owner left can be removed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import msgspec
import psutil

from capsize.core.undo import Guard, Place
from capsize.guardian.owner import Owner
from capsize.guardian.place import MARK, PREFIX
from capsize.platforms.local.pgbin import enterable, must_copy, other_user

MEMORY = Path("/dev/shm")
MEMORY_NEEDED_BYTES = 2 << 30


def hand_over(path: Path, pid: int) -> None:
    """Make another process the owner of a folder: as long as it lives the folder is not stale."""
    (path / MARK).write_bytes(msgspec.json.encode(Owner.of(pid)))


def make_place(guard: Guard) -> tuple[Path, str]:
    """Make a folder for one stack, where also another user may enter; returns it and the guard's ticket for it."""
    path = _parent() / f"{PREFIX}{secrets.token_hex(6)}"
    ticket = guard.before(Place(path=str(path)))
    path.mkdir(mode=0o700)
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    hand_over(path, os.getpid())
    return path, ticket


def stale_places() -> list[Path]:
    """Return the folders of this user whose owner is dead.

    Those of another container are left alone: from here nobody can tell whether their owner lives.
    """
    found = []
    for path in sorted(path for parent in _parents() for path in parent.glob(f"{PREFIX}*/{MARK}")):
        try:
            owner = msgspec.json.decode(path.read_bytes(), type=Owner)
            ours = path.stat().st_uid == os.geteuid()
        except (OSError, msgspec.DecodeError):
            continue
        if ours and owner.here and not owner.lives():
            found.append(path.parent)
    return found


def _parents() -> set[Path]:
    """Return all folders in which stacks of this user may have theirs."""
    return {MEMORY, Path(tempfile.gettempdir()), _parent()}


def _parent() -> Path:
    if _memory_will_do():
        return MEMORY
    wished = Path(tempfile.gettempdir())
    if os.geteuid() != 0 or enterable(wished):
        return wished
    return Path("/tmp")


def _memory_will_do() -> bool:
    """Return whether the folder may be in memory.

    A database without fsync gains nothing from a disk but its noise: initdb takes 0.4 s here in memory and
    0.7 to 1.5 s on a disk that others use too. A TMPDIR that is set says where temporary files belong, and
    binaries that have to be copied need a folder from which programs may be run.
    """
    if os.environ.get("TMPDIR") or not os.access(MEMORY, os.W_OK | os.X_OK) or must_copy(other_user()):
        return False
    room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available // 2)
    return room >= MEMORY_NEEDED_BYTES
