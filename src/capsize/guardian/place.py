"""The folder of a local stack, as the thing by which all of the stack is ended."""

from __future__ import annotations

import shutil
from pathlib import Path

from capsize.core.errors import HealError
from capsize.guardian import tree
from capsize.guardian.belonging import belonging
from capsize.guardian.segment import release_segment

PREFIX = "capsize-"
MARK = "owner.json"


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
    release_segment(path / "data")
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        # What was being written while it was removed.
        shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        raise HealError(f"{path} can't be removed whole")
