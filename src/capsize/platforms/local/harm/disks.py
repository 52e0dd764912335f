"""The disks of a stack's instances: mounted before their data at the start, and broken while they run."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from capsize.core.errors import CapsizeError, HealError, InjectionError, StartError
from capsize.core.undo import Guard, Unmount
from capsize.guardian.steps.mounts import unmount
from capsize.platforms.local.harm.fuse import serve
from capsize.platforms.local.harm.fuse import why_not as fuse_lacking
from capsize.platforms.local.harm.outside import Outside
from capsize.platforms.local.harm.smalldisk import BALLAST, mount_small
from capsize.platforms.local.harm.smalldisk import why_not as small_lacking
from capsize.platforms.local.harm.troubles import ATTRIBUTE, Trouble
from capsize.platforms.local.process import Process
from capsize.platforms.local.waits import to_the_end

TRIAL = ".capsize-trial"
END_LIMIT_S = 10.0
BLOCK = 1 << 20


def lacking(guard: Guard, *, filling: bool) -> str | None:
    """Return why disks can't be broken on this machine, or can't even be filled; None when they can."""
    fuse = fuse_lacking(guard)
    if fuse is None or (filling and small_lacking(guard) is None):
        return None
    return f"{fuse}; and {small_lacking(guard)}" if filling else fuse


class Disks:
    """What is behind the mounts is in ``disks`` in the stack's folder. All errors are CapsizeError."""

    def __init__(self, outside: Outside, env: Mapping[str, str], *, outlives: bool = False) -> None:
        self._outside, self._behind = outside, outside.place / "disks"
        self._env, self._outlives = env, outlives
        self._points: dict[str, Path] = {}
        self._servers: dict[str, Process] = {}

    # ------------------------------------------------------------ mounted

    async def lay(self, instance: str, folder: Path) -> None:
        """Have a folder, with what is in it, on a disk that can be broken. Raises StartError."""
        if instance in self._points:
            return
        self._outside.announce(Unmount(path=str(folder)))
        self._points[instance] = folder
        if fuse_lacking(self._outside.guard) is None:
            backing = self._behind / instance
            await asyncio.to_thread(_behind, folder, backing)
            log = self._behind / f"{instance}.log"
            self._servers[instance] = await serve(backing, folder, self._env, log, outlives=self._outlives)
        else:
            await to_the_end(asyncio.to_thread(mount_small, folder))

    async def remove(self) -> None:
        """Unmount all and end what served them. Raises StartError when one stays."""
        for instance, point in self._points.items():
            try:
                await to_the_end(asyncio.to_thread(unmount, point))
            except (CapsizeError, OSError) as error:
                raise StartError(str(error)) from error
            server = self._servers.get(instance)
            if server is not None and not await server.gone(END_LIMIT_S):
                raise StartError(f"what served the disk of {instance}, process {server.pid}, did not end")
        self._outside.done()
        self._points.clear()
        self._servers.clear()

    # ------------------------------------------------------------ broken

    async def fill(self, instance: str) -> str:
        """Leave no room and see that there is none. Raises InjectionError."""
        return await to_the_end(asyncio.to_thread(self._fill, self._point(instance), instance))

    async def fail(self, instance: str, operations: tuple[str, ...]) -> str:
        """Let operations fail and see that they do. Raises InjectionError."""
        point = self._served(instance)

        def failing() -> str:
            if "read" in operations:
                _forget(point)
            _tell(point, Trouble(fail=operations))
            for operation in operations:
                if _tried(point, operation)[0] != errno.EIO:
                    raise InjectionError(f"the disk of {instance} did not fail to {operation}")
            _tell(point, Trouble(fail=operations))
            return f"FUSE; I/O errors to {', '.join(operations)}"

        return await to_the_end(asyncio.to_thread(failing))

    async def slow(self, instance: str, latency_s: float, bytes_per_s: float | None) -> str:
        """Slow it down and see that it is. Raises InjectionError."""
        point = self._served(instance)

        def slow() -> str:
            _tell(point, Trouble(latency_s=latency_s, bytes_per_s=bytes_per_s))
            number, took_s = _tried(point, "write")
            if number is not None or took_s < latency_s:
                raise InjectionError(f"the disk of {instance} took {took_s * 1000:.1f} ms for a write")
            _tell(point, Trouble(latency_s=latency_s, bytes_per_s=bytes_per_s))
            return f"FUSE; a write took {took_s * 1000:.0f} ms"

        return await to_the_end(asyncio.to_thread(slow))

    async def mend(self, instance: str) -> str:
        """Have it well and return how many operations met the trouble. Raises HealError."""
        point = self._points.get(instance)
        return "" if point is None else await to_the_end(asyncio.to_thread(self._mend, point, instance))

    # ------------------------------------------------------------ inside

    def _point(self, instance: str) -> Path:
        if instance not in self._points:
            raise InjectionError(f"{instance} was not started on a disk that can be broken")
        return self._points[instance]

    def _before(self, instance: str) -> Path:
        """Return where the server leaves word of the state that was."""
        return self._behind / f"{instance}.before"

    def _served(self, instance: str) -> Path:
        point = self._point(instance)
        if instance not in self._servers:
            raise InjectionError(
                f"the disk of {instance} can only be filled: {fuse_lacking(self._outside.guard)}"
            )
        return point

    def _fill(self, point: Path, instance: str) -> str:
        if instance in self._servers:
            _tell(point, Trouble(full=True))
        else:
            _ballast(point / BALLAST)
        if _tried(point, "write")[0] != errno.ENOSPC:
            raise InjectionError(f"the disk of {instance} still has room")
        if instance not in self._servers:
            return "tmpfs; no space left"
        _tell(point, Trouble(full=True))
        return "FUSE; no space left"

    def _mend(self, point: Path, instance: str) -> str:
        if instance not in self._servers:
            (point / BALLAST).unlink(missing_ok=True)
            return ""
        try:
            _tell(point, Trouble())
            before = msgspec.json.decode(self._before(instance).read_bytes(), type=Trouble)
        except (OSError, InjectionError, msgspec.DecodeError) as error:
            raise HealError(f"the disk of {instance} can't be reached: {error}") from error
        if msgspec.structs.replace(before, met=0) == Trouble():
            return ""
        if (number := _tried(point, "write")[0]) is not None:
            raise HealError(f"the disk of {instance} still fails: {os.strerror(number)}")
        return f"{before.met} operations met it"


def _behind(folder: Path, backing: Path) -> None:
    """Move a folder behind a mount point of the same owner and rights."""
    backing.parent.mkdir(mode=0o711, exist_ok=True)
    before = folder.stat()
    folder.rename(backing)
    folder.mkdir(mode=before.st_mode & 0o7777)
    os.chown(folder, before.st_uid, before.st_gid)


def _tell(point: Path, trouble: Trouble) -> None:
    """Have the disk so, and count anew: our own look at the effect is not to be counted."""
    try:
        os.setxattr(point, ATTRIBUTE, msgspec.json.encode(trouble))
    except OSError as error:
        raise InjectionError(f"the disk at {point} does not answer: {error}") from error


def _tried(point: Path, operation: str) -> tuple[int | None, float]:
    """Write, read or sync a file of ours there; returns the error's number, if any, and how long it took."""
    file = point / f"{TRIAL}-{secrets.token_hex(4)}"
    began = time.monotonic()
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(file, flags, 0o600)
        try:
            began = time.monotonic()
            if operation == "write":
                os.write(fd, b"x")
            elif operation == "sync":
                os.fsync(fd)
            else:
                # Past the end: what is inside the kernel would answer from its memory.
                os.write(fd, b"x" * BLOCK)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.pread(fd, 1, 0)
        finally:
            took_s = time.monotonic() - began
            os.close(fd)
    except OSError as error:
        return error.errno, time.monotonic() - began
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    return None, took_s


def _forget(point: Path) -> None:
    """Have the kernel drop what it remembers of the files there, so that reads reach the disk."""
    for folder, _, names in os.walk(point):
        for name in names:
            with suppress(OSError):
                fd = os.open(Path(folder, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(fd)


def _ballast(file: Path) -> None:
    """Take all room that is left."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        for size in (BLOCK, 4096):
            with suppress(OSError):
                while os.write(fd, b"\0" * size):
                    pass
    finally:
        os.close(fd)
