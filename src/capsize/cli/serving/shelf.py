"""The runs in a folder: found anew at each look, and known by their names alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Lock

import msgspec

from capsize import journal
from capsize.cli.live.board import Board
from capsize.core.errors import HistoryError, UsageError
from capsize.core.events import AnyEvent, RunBegan, RunEnded
from capsize.rundir import RunDirectory

DEPTH_MAX = 4
RUNS_MAX = 2000
QUIET_S = 20.0
"""A run whose record is not ended and did not grow for so long was cut off."""

_decode = msgspec.json.Decoder(AnyEvent).decode


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One run in the index. ``status`` is its verdict, ``running``, ``cut off``, ``not judged``, or why it can't be read."""

    name: str
    scenario: str = ""
    level: int = 0
    seed: int = 0
    status: str = ""
    seconds: float = 0.0
    began: float = 0.0
    """When its directory was made, seconds since the epoch."""

    @property
    def running(self) -> bool:
        """Return whether it goes on."""
        return self.status == "running"


class Shelf:
    """The run directories under a folder.

    A name is looked up among those that were found there, and never made into a path: what is outside can't be reached.
    Links are not followed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def found(self) -> dict[str, RunDirectory]:
        """Return the run directories by name: their path below the folder, newest first."""
        runs = {}
        for folder, below, files in os.walk(self._root, followlinks=False):
            depth = len(Path(folder).relative_to(self._root).parts)
            below[:] = sorted(below) if depth < DEPTH_MAX else []
            if "experiment.json" in files:
                below[:] = []
                path = Path(folder)
                if any(
                    (path / one).is_symlink()
                    for one in ("experiment.json", "history.jsonl", "verdict.json", "logs")
                ):
                    continue
                runs[path.relative_to(self._root).as_posix() if depth else "this"] = RunDirectory(path)
            if len(runs) >= RUNS_MAX:
                break
        return dict(sorted(runs.items(), key=lambda one: Path(one[0]).name, reverse=True))

    def get(self, name: str) -> RunDirectory | None:
        """Return a run by its name, None when there is none of that name."""
        return self.found().get(name)

    def entries(self) -> list[Entry]:
        """Return all runs for the index."""
        return [entry(name, directory) for name, directory in self.found().items()]


def entry(name: str, directory: RunDirectory) -> Entry:
    """Return what the index says of a run; only the end of its record is read."""
    try:
        plan, judgement = directory.experiment(), directory.judgement()
    except (UsageError, msgspec.DecodeError, OSError) as error:
        return Entry(name=name, status=f"can't be read: {error}")
    try:
        end = journal.read_end(directory.history_path)
        seconds, ended = end.end_s, end.ended is not None
    except HistoryError:
        seconds, ended = 0.0, False
    going = running(directory, ended=ended)
    over = judgement.verdict.name if judgement else "not judged" if ended else "cut off"
    return Entry(
        name=name,
        scenario=plan.scenario,
        level=plan.level.number,
        seed=plan.seed,
        status="running" if going else over,
        seconds=seconds,
        began=directory.experiment_path.stat().st_mtime,
    )


def running(directory: RunDirectory, *, ended: bool) -> bool:
    """Return whether a run goes on: its record has no end, and grows."""
    if ended:
        return False
    try:
        grown = directory.history_path.stat().st_mtime
    except OSError:
        grown = directory.experiment_path.stat().st_mtime
    return time.time() - grown < QUIET_S


class Tail:
    """A run that is followed: its record is read as it grows."""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self.board = Board(directory.experiment())
        self.began: RunBegan | None = None
        self.ended: RunEnded | None = None
        self._read, self._rest = 0, b""
        self._lock = Lock()

    def follow(self) -> bool:
        """Read what came since the last time; returns whether the run goes on."""
        with self._lock:
            try:
                with self.directory.history_path.open("rb") as file:
                    file.seek(self._read)
                    data = file.read()
            except OSError:
                data = b""
            self._read += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(line)
        return running(self.directory, ended=self.ended is not None)

    def _take(self, line: bytes) -> None:
        try:
            event = _decode(line)
        except msgspec.DecodeError:
            return
        self.board.observe(event)
        if isinstance(event, RunEnded):
            self.ended = event
        elif isinstance(event, RunBegan):
            self.began = event
