"""A small file system in memory, for root on a machine without FUSE: it can be filled, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from capsize.core.errors import StartError
from capsize.core.undo import Guard
from capsize.platforms.local.harm.trials import once, trial_folder

SIZE_BYTES = 512 << 20
BALLAST = ".capsize-ballast"
MOUNT_LIMIT_S = 10.0


def why_not(guard: Guard) -> str | None:
    """Return why there is none; None when there is, which is tried once."""
    found: str | None = once("tmpfs", lambda: _look(guard))
    return found


def _look(guard: Guard) -> str | None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a small file system to be filled needs Linux and root"
    with trial_folder(guard) as folder:
        refused = _mount(folder / "disk", "size=1m")
    return f"tmpfs can't be mounted: {refused}" if refused else None


def mount_small(folder: Path) -> None:
    """Have a folder, with what is in it, on a file system of :data:`SIZE_BYTES`. Raises StartError."""
    before = folder.stat()
    aside = folder.with_name(f".{folder.name}.aside")
    folder.rename(aside)
    folder.mkdir(mode=0o700)
    mode = f"{before.st_mode & 0o7777:o}"
    options = f"size={SIZE_BYTES},mode={mode},uid={before.st_uid},gid={before.st_gid}"
    if refused := _mount(folder, options):
        raise StartError(f"a small file system could not be mounted at {folder}: {refused}")
    done = subprocess.run(
        ["cp", "-a", f"{aside}/.", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StartError(f"the data could not be copied to {folder}: {done.stderr.strip()}")
    shutil.rmtree(aside)


def _mount(folder: Path, options: str) -> str | None:
    """Mount a tmpfs and return what went wrong, if anything."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "capsize", str(folder)],
        capture_output=True,
        text=True,
        timeout=MOUNT_LIMIT_S,
        check=False,
    )
    return done.stderr.strip() or f"code {done.returncode}" if done.returncode != 0 else None
