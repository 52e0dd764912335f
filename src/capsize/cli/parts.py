"""From names on the command line to systems and platforms."""

from __future__ import annotations

from pathlib import Path

from capsize.core.errors import UsageError
from capsize.core.registry import unknown
from capsize.core.system import System


def choose_system(name: str, port: int = 0) -> System:
    """Return the system of that name, or of that file, its API on the given port (0: a free one). Raises UsageError."""
    from capsize.systems import choose

    return choose.choose_system(name, port)


def system_here() -> str:
    """Return the system that is meant when none is named: what this folder describes, else the starter."""
    from capsize.systems.configured import FILE

    return FILE if Path(FILE).is_file() else "starter"


def end_left_behind() -> list[Path]:
    """End and remove the stacks whose owner is dead, and return them; those left up on purpose have another owner."""
    from capsize.guardian.place import remove_place
    from capsize.platforms.local.place import stale_places

    stale = stale_places()
    for path in stale:
        remove_place(path)
    return stale


def choose_platform(name: str) -> str:
    """Return the name when such a platform exists. Raises UsageError."""
    from capsize.platforms import NAMES

    if name not in NAMES:
        raise UsageError(unknown("platform", name, NAMES))
    if name == "docker":
        from capsize.platforms.docker.engine import connect

        # Asked for its engine now: without one nothing is begun.
        connect().close()
    return name
