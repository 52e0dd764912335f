"""The semaphore and the memory that libfaketime wants to share between processes, made and removed by us.

Left alone it makes them itself, for each process, and leaves them in ``/dev/shm`` when that one is killed.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

FOLDER = Path("/dev/shm")
LAYOUT = struct.Struct("<QQqq")
"""Ticks, place in a file, and the start time, whose nanoseconds are -1 as long as there is none."""
SIZE = 4096


def files(name: str) -> tuple[Path, Path]:
    """Return the files that a semaphore and a memory of that name are."""
    return FOLDER / f"sem.{name}", FOLDER / f"{name}.time"


def make(name: str, *, for_others: bool = False) -> None:
    """Make both anew: a process that was killed while it held the semaphore would keep all later ones waiting.

    ``for_others``: a process of another user is to use them. They stay ours then, since a kernel may keep even
    root from opening another user's file in that folder (``fs.protected_regular``). Raises OSError.
    """
    remove(name)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    flags = os.O_CREAT | os.O_EXCL
    handle = libc.sem_open(f"/{name}".encode(), flags, ctypes.c_uint(0o600), ctypes.c_uint(1))
    if not handle:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"/{name}")
    libc.sem_close(ctypes.c_void_p(handle))
    semaphore, memory = files(name)
    fd = os.open(memory, os.O_WRONLY | flags, 0o600)
    try:
        os.write(fd, LAYOUT.pack(0, 0, 0, -1).ljust(SIZE, b"\0"))
    finally:
        os.close(fd)
    if for_others:
        for file in (semaphore, memory):
            file.chmod(0o666)


def remove(name: str) -> None:
    """Remove both; nothing when they are gone."""
    for file in files(name):
        file.unlink(missing_ok=True)
