"""The folder of a local stack, as the thing by which all of the stack is ended."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import HealError
from capsize.guardian import tree
from capsize.guardian.belonging import belonging
from capsize.guardian.segment import release_segment
from capsize.guardian.steps.cgroups import ROOT as CGROUPS
from capsize.guardian.steps.cgroups import remove_cgroup
from capsize.guardian.steps.mounts import unmount

PREFIX = "capsize-"
MARK = "owner.json"
OUTSIDE = "outside"
"""A file in it that names, a line each, what the stack laid elsewhere: mounts, control groups, single files."""


def is_place(path: Path) -> bool:
    """Tell whether a folder is one of a stack, so that it may be removed with all that runs in it."""
    return path.name.startswith(PREFIX) and (path / MARK).is_file()


def remove_place(path: Path) -> None:
    """Remove a folder and end whatever still runs of its stack. Blocks for some milliseconds.

    Raises InjectionError when a process does not die, and HealError when files are left.
    """
    if not path.name.startswith(PREFIX):
        raise HealError(f"{path} is no folder of a stack, and is left alone")
    tree.end_all(lambda: belonging(path), f"a process of the stack in {path}")
    for data in (path / "data", *path.glob("disks/*")):
        release_segment(data)
    _remove_outside(path)
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        # What was being written while it was removed.
        shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        raise HealError(f"{path} can't be removed whole")


def _remove_outside(path: Path) -> None:
    """Remove what the stack laid elsewhere, the last first; its processes are gone. Raises HealError."""
    with suppress(FileNotFoundError):
        for line in reversed((path / OUTSIDE).read_text().splitlines()):
            thing = Path(line)
            unmount(thing)
            if thing.is_relative_to(CGROUPS):
                remove_cgroup(thing)
            elif not thing.is_relative_to(path) and path.name in thing.name:
                thing.unlink(missing_ok=True)
