"""Which undo logs may hold something open: one small file each, in the state folder, for ``capsize heal --all``."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from capsize.guardian.owner import Owner


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An undo log and the process that writes it."""

    log: str
    owner: Owner


def state_folder() -> Path:
    """Return where capsize keeps what outlives a command, for this user."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "capsize"


def register(log: Path, owner: Owner) -> Path:
    """Note that a log is being written; returns the file that says so. Raises OSError."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{secrets.token_hex(8)}.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(Entry(log=str(log.absolute()), owner=owner)))
    fresh.replace(path)
    return path


def unregister(path: Path | None) -> None:
    """Take a note away; one that is gone, or was never made, is fine."""
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def registered() -> list[tuple[Path, Entry]]:
    """Return all notes with their files, oldest first. One that can't be read is left out."""
    found: list[tuple[float, Path, Entry]] = []
    for path in _folder().glob("*.json"):
        with suppress(OSError, msgspec.DecodeError):
            entry = msgspec.json.decode(path.read_bytes(), type=Entry)
            found.append((path.stat().st_mtime, path, entry))
    return [(path, entry) for _, path, entry in sorted(found, key=lambda one: (one[0], str(one[1])))]


def _folder() -> Path:
    return state_folder() / "guarded"
