"""The temporary folder of one stack, marked with its owner so that what a dead owner left can be removed."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path

import msgspec
import psutil

from capsize.guardian import tree
from capsize.guardian.belonging import belonging
from capsize.guardian.segment import release_segment
from capsize.platforms.local.pgbin import enterable, must_copy, other_user

PREFIX = "capsize-"
MARK = "owner.json"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED_BYTES = 2 << 30


class Owner(msgspec.Struct, frozen=True):
    """The process that made a folder. The time of its creation tells it from a later one of that number.

    ``space`` names the machine or container in which the number counts.
    """

    pid: int
    created: float
    space: str


def hand_over(path: Path, pid: int) -> None:
    """Make another process the owner of a folder: as long as it lives the folder is not stale."""
    created = psutil.Process(pid).create_time()
    (path / MARK).write_bytes(msgspec.json.encode(Owner(pid, created, _space())))


def is_place(path: Path) -> bool:
    """Tell whether a folder is one of a stack, so that it may be removed with all that runs in it."""
    return path.name.startswith(PREFIX) and (path / MARK).is_file()


def make_place() -> Path:
    """Make a folder for one stack, where also another user may enter."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    hand_over(path, os.getpid())
    return path


def remove_place(path: Path) -> None:
    """Remove a folder and end whatever still runs of its stack. Blocks for some milliseconds."""
    for process in belonging(path):
        tree.kill(process.pid)
    release_segment(path / "data")
    shutil.rmtree(path, ignore_errors=True)


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
        if ours and owner.space == _space() and not _lives(owner):
            found.append(path.parent)
    return found


def _lives(owner: Owner) -> bool:
    try:
        return abs(psutil.Process(owner.pid).create_time() - owner.created) < 1.0
    except psutil.NoSuchProcess:
        return False


def _parents() -> set[Path]:
    """Return all folders in which stacks of this user may have theirs."""
    return {MEMORY, Path(tempfile.gettempdir()), _parent()}


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{os.readlink('/proc/self/ns/pid')} {boot}"
    except OSError:
        return platform.node()


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
