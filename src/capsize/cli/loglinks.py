"""``/tmp/starter-*.log``: the logs of the stack that is up, where a person looks for them first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PREFIX, SUFFIX = "starter-", ".log"


def lay(logs: Path) -> None:
    """Link each instance's log there. A file that is not ours is left alone, and what can't be linked is done without."""
    clear(logs)
    for log in sorted(logs.glob("*.log")):
        with suppress(OSError):
            (_folder() / f"{PREFIX}{log.name}").symlink_to(log)


def clear(logs: Path) -> None:
    """Take away the links into a folder of logs, and those that lead nowhere any more."""
    for link, target in _own():
        if target.parent == logs or not target.exists():
            with suppress(OSError):
                link.unlink()


def _own() -> Iterator[tuple[Path, Path]]:
    """Yield this user's links of that name that lead to logs of a stack, with where they lead."""
    for link in _folder().glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):
            if link.is_symlink() and link.lstat().st_uid == os.geteuid():
                target = Path(os.readlink(link))
                if target.parent.name == "logs" and target.parent.parent.name == "capsize":
                    yield link, target


def _folder() -> Path:
    return Path(tempfile.gettempdir())
