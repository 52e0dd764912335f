"""Trying out what this machine lets us do: once in a process, and leaving nothing even when that process is killed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from capsize.core.undo import Guard, RemoveFolder, Unmount
from capsize.guardian.steps.mounts import unmount

_found: dict[str, Any] = {}


def once(what: str, trial: Callable[[], Any]) -> Any:
    """Return what a trial found, made at the first time that it is asked for."""
    if what not in _found:
        _found[what] = trial()
    return _found[what]


@contextmanager
def trial_folder(guard: Guard) -> Iterator[Path]:
    """Give a folder for a trial, in which something may be mounted at ``disk``; both are gone afterwards."""
    folder = Path(tempfile.gettempdir(), f"capsize-trial-{secrets.token_hex(6)}")
    ticket = guard.before(RemoveFolder(path=str(folder)), Unmount(path=str(folder / "disk")))
    folder.mkdir(mode=0o755)
    (folder / "disk").mkdir()
    try:
        yield folder
    finally:
        unmount(folder / "disk")
        shutil.rmtree(folder, ignore_errors=True)
        guard.after(ticket)
