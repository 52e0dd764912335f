"""Control groups of both versions: emptied, thawed and removed."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import HealError

ROOT = Path("/sys/fs/cgroup")
TRIES, EVERY_S = 100, 0.01


def remove_cgroup(path: Path) -> None:
    """Remove a cgroup and those below it; the processes inside go on in its parent. Raises HealError."""
    # Right below the root version 1 has its controllers, which are nobody's own.
    controller = path.parent == ROOT and not (ROOT / "cgroup.controllers").exists()
    if not path.is_relative_to(ROOT) or path == ROOT or ".." in path.parts or controller:
        raise HealError(f"{path} can't be a cgroup of capsize's, and is left alone")
    for group in _deepest_first(path):
        _remove(group)


def _deepest_first(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted((p for p in (path, *path.rglob("*")) if p.is_dir()), key=lambda p: -len(p.parts))


def _remove(group: Path) -> None:
    for name, value in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
        with suppress(OSError):
            if (group / name).exists():
                (group / name).write_text(value)
    # It takes the kernel a moment to let the last process go.
    for _ in range(TRIES):
        try:
            _empty(group)
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(EVERY_S)
            continue
        return
    raise HealError(f"the cgroup {group} can't be removed: {_inside(group)} are in it")


def _empty(group: Path) -> None:
    for pid in _inside(group):
        # A parent whose children have limits takes no process in version 2; one further up does.
        for above in group.parents:
            if not above.is_relative_to(ROOT):
                break
            try:
                (above / "cgroup.procs").write_text(str(pid))
            except ProcessLookupError:
                break
            except OSError:
                continue
            break


def _inside(group: Path) -> list[int]:
    return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
