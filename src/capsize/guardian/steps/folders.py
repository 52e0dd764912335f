"""Folders, removed with what is in them and never with what is mounted below."""

from __future__ import annotations

import shutil
from pathlib import Path

from capsize.core.errors import HealError
from capsize.guardian.steps.mounts import mounted

DEPTH_MIN = 3
"""``/tmp/x`` has three parts; nothing shorter can be a folder of ours."""


def remove_folder(path: Path) -> None:
    """Remove a folder or a file. Raises HealError, also for one that can't be ours."""
    plain = path.is_absolute() and ".." not in path.parts
    if not plain or len(path.parts) < DEPTH_MIN or path in (Path.home(), Path.cwd()):
        raise HealError(f"{path} can't be a folder of capsize's, and is left alone")
    below = sorted(str(point) for point in mounted() if point.is_relative_to(path))
    if below:
        raise HealError(f"{path} is not removed: {', '.join(below)} is mounted there")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    if path.exists():
        raise HealError(f"{path} can't be removed whole")
