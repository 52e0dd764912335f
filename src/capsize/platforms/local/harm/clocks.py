"""Wall clocks that can be moved while a process runs: libfaketime, preloaded, and a file that holds the offset."""

from __future__ import annotations

import asyncio
import importlib.util
import pwd
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from capsize.core.errors import InjectionError, Missed, StartError
from capsize.core.undo import RemoveFolder
from capsize.guardian import tree
from capsize.platforms.local.harm import shared
from capsize.platforms.local.harm.asking import ask
from capsize.platforms.local.harm.outside import Outside

LIBRARY = "libfaketime.so.1"
NEAR_S = 30.0
"""How far the asked clock may be from where it should be: far more than an answer takes on a busy machine."""
RIGHT = "+0"


@cache
def library() -> Path | str:
    """Return the library, or why it can't be had."""
    if not sys.platform.startswith("linux"):
        return "moving clocks needs Linux"
    spec = importlib.util.find_spec("libfaketime")
    if spec is None or not spec.submodule_search_locations:
        return "the package libfaketime is not installed: `pip install 'capsize[faults]'` brings it"
    # Found and not imported: importing it would bring a parser of dates along.
    path = Path(next(iter(spec.submodule_search_locations)), "vendor", "libfaketime", "src", LIBRARY)
    return path if path.is_file() else f"the package libfaketime holds no {LIBRARY} for this machine"


class Clocks:
    """The clocks of the instances that were started with the library."""

    def __init__(self, outside: Outside) -> None:
        self._outside, self._place, self._folder = outside, outside.place, outside.place / "clocks"
        self._env: dict[str, dict[str, str]] = {}
        self._of_others: set[str] = set()

    def prepare(self, instance: str, user: pwd.struct_passwd | None = None) -> dict[str, str]:
        """Return the environment in which an instance is started, its clock right so far. Raises InjectionError."""
        source = library()
        if isinstance(source, str):
            raise InjectionError(source)
        copy = self._folder / LIBRARY
        if not copy.exists():
            # Where also another user may read: the installation may be under /root.
            self._folder.mkdir(mode=0o755)
            shutil.copyfile(source, copy)
            copy.chmod(0o755)
        name = f"{self._place.name}-{instance}"
        self._outside.announce(*(RemoveFolder(path=str(file)) for file in shared.files(name)))
        if user is not None:
            self._of_others.add(instance)
        self._env[instance] = {
            "LD_PRELOAD": str(copy),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(instance)),
            # Read at every look at the clock, so that a move is seen at once.
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_SHARED": f"/{name} /{name}.time",
            # Times of files stay what the disk says: a file written now would otherwise be an hour old.
            "NO_FAKE_STAT": "1",
        }
        self._write(instance, RIGHT)
        return self._env[instance]

    async def before_start(self, instance: str) -> None:
        """Lay what a process of an instance shares with those that it starts. Raises StartError."""
        try:
            shared.make(f"{self._place.name}-{instance}", for_others=instance in self._of_others)
        except OSError as error:
            raise StartError(f"the clock of {instance} can't be made movable: {error}") from error

    def remove(self) -> None:
        """Remove what was laid outside of the stack's folder."""
        for instance in self._env:
            shared.remove(f"{self._place.name}-{instance}")
        self._outside.done()
        self._env.clear()

    async def skew(self, instance: str, leader: int, offset_s: float) -> str:
        """Move an instance's clock and see it moved. Raises Missed and InjectionError."""
        env = self._prepared(instance)
        if not await asyncio.to_thread(_loaded, leader):
            raise InjectionError(f"process {leader} of {instance} has not loaded {LIBRARY}")
        self._write(instance, f"{offset_s:+.3f}")
        seen = await _seen_offset(env)
        if abs(seen - offset_s) > NEAR_S:
            raise InjectionError(f"the clock of {instance} is off by {seen:.0f} s instead of {offset_s:g} s")
        return f"libfaketime; its clock is off by {seen:+.0f} s"

    async def right(self, instance: str) -> None:
        """Have it right and see that it is. Raises InjectionError."""
        if instance not in self._env or self._read(instance) == RIGHT:
            return
        self._write(instance, RIGHT)
        if abs(seen := await _seen_offset(self._env[instance])) > NEAR_S:
            raise InjectionError(f"the clock of {instance} is still off by {seen:.0f} s")

    def _prepared(self, instance: str) -> Mapping[str, str]:
        if instance not in self._env:
            raise InjectionError(f"{instance} was not started with a clock that can be moved")
        return self._env[instance]

    def _file(self, instance: str) -> Path:
        return self._folder / instance

    def _read(self, instance: str) -> str:
        return self._file(instance).read_text().strip()

    def _write(self, instance: str, offset: str) -> None:
        """Replace the file: whoever reads it meanwhile sees the old offset or the new one."""
        fresh = self._file(f".{instance}.new")
        fresh.write_text(f"{offset}\n")
        fresh.chmod(0o644)
        fresh.replace(self._file(instance))


async def _seen_offset(env: Mapping[str, str]) -> float:
    """Ask a process that is started in the same surroundings what time it is."""
    answer = await ask("import time; print(time.time())", env)
    return float(answer) - time.time()


def _loaded(leader: int) -> bool:
    """Return whether a process, or one that descends from it, looks at the clock through the library."""
    members = tree.members(leader)
    if not members:
        raise Missed(f"process {leader} is gone")
    for process in members:
        with suppress(OSError):
            if LIBRARY in Path(f"/proc/{process.pid}/maps").read_text():
                return True
    return False
