"""The undo log: what it says is still open, whatever happened to its writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsize.core.experiment import Spec
from capsize.guardian import UndoLog, still_open

STOP = Spec(name="stop", args={"hard": True})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "undo.jsonl"


def test_what_was_not_healed_is_open(path: Path) -> None:
    """Strikes without a healing are returned whole, in the order in which they began."""
    log = UndoLog(path)
    log.about_to("s1", STOP, ["postgres-1"])
    log.about_to("s2", Spec(name="pause"), ["worker-1", "worker-2"])
    log.about_to("s3", Spec(name="kill"), ["api-1"])
    log.healed("s2")
    first, last = still_open(path)
    assert (first.strike, first.fault, first.args, first.victims) == (
        "s1",
        "stop",
        {"hard": True},
        ("postgres-1",),
    )
    assert last.strike == "s3"
    assert first.t <= last.t


def test_everything_healed_leaves_nothing_open(path: Path) -> None:
    """A strike that is healed, also twice, is over; one that begins again afterwards is open again."""
    log = UndoLog(path)
    log.about_to("s1", STOP, ["postgres-1"])
    log.healed("s1")
    log.healed("s1")
    assert still_open(path) == ()
    log.about_to("s1", STOP, ["postgres-1"])
    assert [strike.strike for strike in still_open(path)] == ["s1"]


def test_no_log_is_nothing_open(path: Path) -> None:
    """A run that struck nothing has no file."""
    assert still_open(path) == ()


def test_a_line_cut_off_is_left_out_and_the_next_one_is_whole(path: Path) -> None:
    """A writer that died in mid-line spoils neither what was before nor what comes after."""
    UndoLog(path).about_to("s1", STOP, ["postgres-1"])
    with path.open("ab") as file:
        file.write(b'{"strike": "s2", "fau')
    assert [strike.strike for strike in still_open(path)] == ["s1"]
    UndoLog(path).healed("s1")
    assert still_open(path) == ()


def test_it_is_written_when_the_call_returns(path: Path) -> None:
    """Another reader sees the line at once: nothing waits in a buffer of this process."""
    log = UndoLog(path)
    log.about_to("s1", STOP, ["postgres-1"])
    assert path.read_bytes().endswith(b"}\n")
    assert path.read_bytes().count(b"\n") == 1
