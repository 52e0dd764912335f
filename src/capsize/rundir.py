"""A run directory: all that a run learns, and all that judging, reporting and replaying it need."""

from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec

from capsize import journal
from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement


class LeftUp(msgspec.Struct, frozen=True, kw_only=True):
    """A system that a run left up on request: where it is, and the folder by which it is ended."""

    place: str
    api_url: str
    database_url: str


class RunDirectory:
    """The files of one run under ``runs/<time>-<scenario>-<level>-<seed>/``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, output: Path, experiment: Experiment) -> RunDirectory:
        """Make a new directory under ``output`` and write the experiment into it."""
        stamp = time.strftime("%Y%m%dT%H%M%S")
        scenario = re.sub(r"[^A-Za-z0-9_.-]", "_", experiment.scenario)
        base = f"{stamp}-{scenario}-{experiment.level.number}-{experiment.seed}"
        path = _fresh(output, base)
        (path / "logs").mkdir()
        directory = cls(path)
        directory.experiment_path.write_bytes(encode(experiment))
        return directory

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open an existing run directory. Raises :class:`UsageError` when it is none."""
        directory = cls(path)
        if not directory.experiment_path.is_file():
            raise UsageError(f"{path} is not a run directory: it holds no experiment.json")
        return directory

    @property
    def experiment_path(self) -> Path:
        """Return where the experiment (the plan) is."""
        return self.path / "experiment.json"

    @property
    def history_path(self) -> Path:
        """Return where the history is."""
        return self.path / "history.jsonl"

    @property
    def undo_path(self) -> Path:
        """Return where it is written down how what was broken is undone."""
        return self.path / "undo.jsonl"

    @property
    def logs(self) -> Path:
        """Return the folder for the output of the instances."""
        return self.path / "logs"

    def experiment(self) -> Experiment:
        """Read the experiment. Raises :class:`UsageError` when it can't be read."""
        try:
            return msgspec.json.decode(self.experiment_path.read_bytes(), type=Experiment)
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(f"{self.experiment_path} can't be read: {error}") from error

    def history(self) -> History:
        """Read the history, as far as it was written."""
        return journal.read(self.history_path)

    @property
    def left_up_path(self) -> Path:
        """Return the file that tells of a system that was left up."""
        return self.path / "left-up.json"

    def left_up(self) -> LeftUp | None:
        """Return the system that the run left up, unless it was ended since."""
        path = self.left_up_path
        return msgspec.json.decode(path.read_bytes(), type=LeftUp) if path.is_file() else None

    def write_judgement(self, judgement: Judgement) -> None:
        """Write ``verdict.json``."""
        (self.path / "verdict.json").write_bytes(encode(judgement))

    def judgement(self) -> Judgement | None:
        """Read ``verdict.json``; None when the run was not judged yet."""
        path = self.path / "verdict.json"
        return msgspec.json.decode(path.read_bytes(), type=Judgement) if path.is_file() else None


def encode(value: msgspec.Struct) -> bytes:
    """Return a value as indented JSON with a stable order of keys."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"


def _fresh(output: Path, base: str) -> Path:
    """Make a directory that did not exist, numbering it when two runs begin in the same second."""
    for number in range(1, 1000):
        path = output / (base if number == 1 else f"{base}.{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise UsageError(f"{output} already holds a thousand runs named {base}; give another --output")
