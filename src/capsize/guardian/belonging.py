"""What still runs of a stack, found by looking at the machine instead of at what we remember."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

from capsize.guardian import tree

MARK = "CAPSIZE_PLACE"
"""The environment variable by which a process of a stack is known, whatever became of its parents."""


def inside(folder: Path) -> list[psutil.Process]:
    """Return the live processes whose working directory is a folder or below it."""
    return [process for process in psutil.process_iter() if _works_in(process, folder)]


def belonging(place: Path) -> list[psutil.Process]:
    """Return the live processes of the stack that has its folder there.

    PostgreSQL writes its title over its environment, so it is known by its working directory.
    """
    return [
        process for process in psutil.process_iter() if _marked(process, place) or _works_in(process, place)
    ]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    with suppress(psutil.Error, OSError):
        return Path(process.cwd()).is_relative_to(folder) and tree.alive(process)
    return False


def _marked(process: psutil.Process, place: Path) -> bool:
    with suppress(psutil.Error, OSError):
        return process.environ().get(MARK) == str(place) and tree.alive(process)
    return False
