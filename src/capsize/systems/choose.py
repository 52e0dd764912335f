"""From a name to a system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from capsize.core.errors import UsageError
from capsize.core.registry import unknown
from capsize.core.system import System
from capsize.systems import SYSTEMS
from capsize.systems.configured import FILE, ConfiguredSystem, read
from capsize.systems.queue import PREFIX, QueueService


def choose_system(name: str, port: int = 0) -> System:
    """Return the system of that name, or of that file, its API on the given port (0: a free one). Raises UsageError."""
    if name.startswith(PREFIX):
        return QueueService.named(name, port)
    if name.endswith(".toml"):
        path = Path(name).resolve()
        return ConfiguredSystem(read(path), path, port=port)
    if name not in SYSTEMS:
        raise UsageError(unknown("system", name, SYSTEMS))
    make: Callable[..., System] = SYSTEMS[name]
    return make(port=port)


def system_in(folder: Path) -> str:
    """Return the system that is meant when none is named: what the folder describes, else the starter."""
    found = folder / FILE
    return str(found) if found.is_file() else "starter"
