"""A folder seen through a disk that can be full, fail or be slow: run as a script.

    disk_server.py BACKING MOUNT ATTRIBUTE

It mounts a file system that hands every operation on to BACKING. What is wrong with it is an extended attribute
of its root: JSON as ``troubles.py`` has it. When it is set, the state before, with how many operations met it, is written
to BACKING.before. Run as a script and importing nothing of capsize's, since it is started beside every
instance that has such a disk.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import mfusepy

CACHED_S = 60.0
"""How long the kernel may remember names, sizes and contents: nobody but itself changes them."""


class Trouble:
    """The state, as the attribute has it."""

    def __init__(self, full: bool = False, fail: Sequence[str] = (), latency_s: float = 0.0,
                 bytes_per_s: float | None = None, met: int = 0) -> None:  # fmt: skip
        self.full, self.fail, self.latency_s, self.bytes_per_s, self.met = (
            full,
            fail,
            latency_s,
            bytes_per_s,
            met,
        )


class Disk(mfusepy.Operations):
    """Hands everything on. Each method is one of FUSE's operations; what it raises is what the caller sees."""

    use_ns = True

    def __init__(self, backing: str, attribute: str) -> None:
        self._root, self._attribute = backing, attribute
        self._trouble = Trouble()
        self._lock = threading.Lock()
        self._free_at = 0.0

    # ------------------------------------------------------------ trouble

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        """Take a new state of the disk, and leave word of how often the old one was met.

        There is no ``getxattr``: the kernel would ask before every write whether the file has capabilities.
        """
        if path != "/" or name != self._attribute:
            raise OSError(errno.ENOTSUP, "")
        with self._lock:
            before, self._trouble, self._free_at = self._trouble, Trouble(**json.loads(bytes(value))), 0.0
            with open(f"{self._root}.before", "w") as told:
                json.dump(vars(before), told)
        return 0

    def _meet(self, operation: str, size: int = 0) -> None:
        """Fail or wait as the disk does."""
        trouble = self._trouble
        if operation in trouble.fail:
            self._count()
            raise OSError(errno.EIO, "")
        wait = trouble.latency_s
        if trouble.bytes_per_s:
            with self._lock:
                # One after another, as through a narrow pipe.
                self._free_at = max(self._free_at, time.monotonic()) + size / trouble.bytes_per_s
                wait += self._free_at - time.monotonic()
        if wait > 0:
            self._count()
            time.sleep(wait)

    def _grow(self, grows: bool = True) -> None:
        """Refuse what would need room."""
        if grows and self._trouble.full:
            self._count()
            raise OSError(errno.ENOSPC, "")

    def _count(self) -> None:
        with self._lock:
            self._trouble.met += 1

    # ------------------------------------------------------------ files

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._grow()
        self._meet("write")
        fd = os.open(self._real(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        self._give(path)
        return fd

    def open(self, path: str, flags: int) -> int:
        # O_APPEND is the kernel's affair: it says at which offset to write.
        return os.open(self._real(path), flags & ~os.O_APPEND)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._meet("read", size)
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._grow(self._trouble.full and offset + len(data) > os.fstat(fh).st_size)
        self._meet("write", len(data))
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._grow(self._trouble.full and length > os.stat(self._real(path)).st_size)
        self._meet("write")
        os.truncate(self._real(path), length)
        return 0

    def fallocate(self, path: str, mode: int, offset: int, length: int, fh: int) -> int:
        self._grow(self._trouble.full and offset + length > os.fstat(fh).st_size)
        self._meet("write")
        if mode != 0:
            raise OSError(errno.EOPNOTSUPP, "")
        os.posix_fallocate(fh, offset, length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._meet("sync")
        (os.fdatasync if datasync else os.fsync)(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    # ------------------------------------------------------------ names

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino")
        return {name: getattr(found, name) for name in names} | {
            "st_atime": found.st_atime_ns,
            "st_mtime": found.st_mtime_ns,
            "st_ctime": found.st_ctime_ns,
        }

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._real(path))]

    def mkdir(self, path: str, mode: int) -> int:
        self._grow()
        self._meet("write")
        os.mkdir(self._real(path), mode)
        self._give(path)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._real(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._real(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._real(old), self._real(new))
        return 0

    def link(self, target: str, source: str) -> int:
        self._grow()
        os.link(self._real(source), self._real(target))
        return 0

    def symlink(self, target: str, source: str) -> int:
        self._grow()
        os.symlink(source, self._real(target))
        return 0

    def readlink(self, path: str) -> str:
        return os.readlink(self._real(path))

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._real(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._real(path), uid, gid, follow_symlinks=False)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._real(path), ns=times or (time.time_ns(),) * 2, follow_symlinks=False)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._real(path))
        names = ("f_bsize", "f_frsize", "f_blocks", "f_files", "f_ffree", "f_favail", "f_namemax")
        free = {"f_bfree": 0, "f_bavail": 0}
        if not self._trouble.full:
            free = {"f_bfree": found.f_bfree, "f_bavail": found.f_bavail}
        return {name: getattr(found, name) for name in names} | free

    # ------------------------------------------------------------ inside

    def _real(self, path: str) -> str:
        return self._root + path

    def _give(self, path: str) -> None:
        """Have what was made belong to whom it was made for."""
        if os.geteuid() == 0:
            uid, gid, _ = mfusepy.fuse_get_context()
            os.chown(self._real(path), uid, gid, follow_symlinks=False)


def main(backing: str, mount: str, attribute: str) -> None:
    """Mount, and serve until it is unmounted."""
    os.umask(0)
    # Another user than root may only be let in by root.
    allow = {"allow_other": True} if os.geteuid() == 0 else {}
    mfusepy.FUSE(
        Disk(backing, attribute),
        mount,
        foreground=True,
        fsname="capsize",
        attr_timeout=CACHED_S,
        entry_timeout=CACHED_S,
        negative_timeout=CACHED_S,
        kernel_cache=True,
        **allow,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
