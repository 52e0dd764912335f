"""The temporary folder of one stack, marked with its owner so that what a dead owner left can be removed."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path

import msgspec
import psutil

from capsize.platforms.local import tree
from capsize.platforms.local.inventory import belonging
from capsize.platforms.local.pgbin import enterable
from capsize.platforms.local.segment import release_segment

PREFIX = "capsize-"
MARK = "owner.json"


class Owner(msgspec.Struct, frozen=True):
    """The process that made a folder. The time of its creation tells it from a later one of that number.

    ``space`` names the machine or container in which the number counts.
    """

    pid: int
    created: float
    space: str


def make_place() -> Path:
    """Make a folder for one stack, where also another user may enter."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    process = psutil.Process()
    (path / MARK).write_bytes(msgspec.json.encode(Owner(process.pid, process.create_time(), _space())))
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
    for path in sorted(_parent().glob(f"{PREFIX}*/{MARK}")):
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


def _space() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{os.readlink('/proc/self/ns/pid')} {boot}"
    except OSError:
        return platform.node()


def _parent() -> Path:
    wished = Path(tempfile.gettempdir())
    if os.geteuid() != 0 or enterable(wished):
        return wished
    return Path("/tmp")
