"""A file system of ours before a folder, by FUSE: whether this machine lets us, and the process that serves it."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import StartError
from capsize.core.undo import Guard
from capsize.guardian.steps.mounts import unmount
from capsize.platforms.local.harm.trials import once, trial_folder
from capsize.platforms.local.harm.troubles import ATTRIBUTE
from capsize.platforms.local.process import LAUNCH, Process, spawn
from capsize.platforms.local.waits import seen

SERVER = Path(__file__).with_name("disk_server.py")
MOUNT_LIMIT_S = 20.0
LOOK_S = 0.01


def why_not(guard: Guard) -> str | None:
    """Return why there is no FUSE for us; None when there is, which is tried once."""
    found: str | None = once("fuse", lambda: _look(guard))
    return found


def _look(guard: Guard) -> str | None:
    if not sys.platform.startswith("linux"):
        return "breaking disks needs Linux"
    if importlib.util.find_spec("mfusepy") is None:
        return "the package mfusepy is not installed: `pip install 'capsize[faults]'` brings it"
    if not (ctypes.util.find_library("fuse3") or ctypes.util.find_library("fuse")):
        return "libfuse is not installed: on Debian, `apt-get install fuse3` brings it"
    if not Path("/dev/fuse").exists():
        return "this kernel, or this container, has no /dev/fuse"
    if os.geteuid() != 0 and not (shutil.which("fusermount3") or shutil.which("fusermount")):
        return "without root FUSE needs fusermount3: on Debian, `apt-get install fuse3` brings it"
    with trial_folder(guard) as folder:
        return _trial(folder)


def _trial(folder: Path) -> str | None:
    """Mount a disk in a folder and take it away again."""
    backing, point, log = folder / "behind", folder / "disk", folder / "log"
    backing.mkdir()
    # It dies with us, as everything that we start.
    launch = (sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), "-", "-", "-", "-")
    with log.open("wb") as told:
        server = subprocess.Popen(
            (*launch, *command(backing, point)), stdin=subprocess.DEVNULL, stdout=told, stderr=told
        )
    try:
        give_up = time.monotonic() + MOUNT_LIMIT_S
        while not mounted(point):
            if server.poll() is not None or time.monotonic() > give_up:
                return f"FUSE can't be mounted: {_end_of(log)}"
            time.sleep(LOOK_S)
        return None
    finally:
        unmount(point)
        server.kill()
        server.wait()


def mounted(point: Path) -> bool:
    """Return whether a file system begins there."""
    return os.path.ismount(point)


def command(backing: Path, point: Path) -> tuple[str, ...]:
    """Return the command that serves a folder at a mount point."""
    return (sys.executable, "-P", str(SERVER), str(backing), str(point), ATTRIBUTE)


async def serve(
    backing: Path, point: Path, env: Mapping[str, str], log: Path, *, outlives: bool = False
) -> Process:
    """Start to serve and return when it is mounted. Raises StartError."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        server = spawn(command(backing, point), env=env, log=fd, on_exit=lambda _: None, outlives=outlives)
    finally:
        os.close(fd)
    await seen(lambda: not server.running or mounted(point), MOUNT_LIMIT_S)
    if not (server.running and mounted(point)):
        raise StartError(f"the disk at {point} could not be mounted: {_end_of(log)}")
    return server


def _end_of(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(errors="replace").strip().splitlines()
        # What libfuse says is worth more than the end of a traceback.
        return (
            next((line for line in lines if line.startswith("fuse")), "".join(lines[-1:]))
            or "it took too long"
        )
    return "it took too long"
