"""What is mounted, and how it is unmounted."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import HealError
from capsize.guardian.steps.commands import call

MOUNTS = Path("/proc/self/mountinfo")
LAYERS_MAX = 10
WAYS = (("umount",), ("umount", "-l"), ("fusermount3", "-u", "-z"), ("fusermount", "-u", "-z"))
"""From the plain one to those for a file system whose server hangs, and for a user who is not root."""
LIMIT_S = 1.0


def unmount(path: Path) -> None:
    """Unmount everything that is mounted at a path. Raises HealError."""
    for _ in range(LAYERS_MAX):
        if path not in mounted():
            return
        for way in WAYS:
            with suppress(HealError):
                if call((*way, str(path)), LIMIT_S)[0] == 0:
                    break
    if path in mounted():
        raise HealError(f"{path} is still mounted")


def mounted() -> set[Path]:
    """Return every mount point that we see. Empty where the kernel does not tell."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return set()
    return {Path(_plain(line.split()[4])) for line in lines}


def _plain(text: str) -> str:
    """Return a path without the octal escapes for blanks and the like."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
