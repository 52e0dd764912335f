"""The journal keeps what was recorded, in order, up to the last whole line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from capsize import journal
from capsize.core.errors import HistoryError
from capsize.core.events import Event, Op, PhaseChanged, Reported, Sample, Stored, Struck, Witnessed

EVENTS: tuple[Event, ...] = (
    PhaseChanged(t=0.0, phase="steady", what="begin"),
    Op(
        t=0.5,
        call="submit",
        client="tasks",
        outcome="ok",
        planned=0.1,
        sent=0.2,
        status=201,
        key="k",
        task="a",
    ),
    Witnessed(t=0.6, task="a", event="started", attempt=1, worker="worker-1"),
    Struck(t=0.7, strike="s1", stage="begin", fault="kill", victims=("worker-1",)),
    Sample(t=0.8, probe="stats", began=0.75, values={"pending": 1, "share": 0.5, "up": True}),
)


def _write(path: Path) -> None:
    log = journal.Journal(path)
    for event in EVENTS:
        log.record(event)
    log.close()


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    """A history read from its file equals the events that were recorded."""
    path = tmp_path / "history.jsonl"
    _write(path)
    history = journal.read(path)
    assert tuple(history) == EVENTS
    assert not history.truncated


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_cut_off_last_line_is_left_out_and_said(tmp_path: Path, cut: int) -> None:
    """Wherever the last line was cut, every line before it is there and the history is marked."""
    path = tmp_path / "history.jsonl"
    _write(path)
    os.truncate(path, path.stat().st_size - cut)
    history = journal.read(path)
    # Cutting the line feed alone leaves a whole event.
    assert tuple(history) == (EVENTS if cut == 1 else EVENTS[:-1])
    assert history.truncated or cut == 1


def test_a_broken_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    """Damage that is no cut-off is not passed over: the message names the line."""
    path = tmp_path / "history.jsonl"
    _write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"kind": "nonsense"}\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(HistoryError, match="line 3"):
        journal.read(path)


def test_no_history_is_an_error(tmp_path: Path) -> None:
    """A missing file is a clear error, not an empty history."""
    with pytest.raises(HistoryError, match="no history"):
        journal.read(tmp_path / "none.jsonl")


def test_an_event_after_the_end_is_dropped(tmp_path: Path) -> None:
    """Recording after close changes nothing and raises nothing."""
    path = tmp_path / "history.jsonl"
    log = journal.Journal(path)
    log.close()
    log.record(EVENTS[0])
    assert path.read_bytes() == b""


def test_what_was_recorded_survives_sigkill(tmp_path: Path) -> None:
    """Every event recorded before a SIGKILL of the recording process is in the file."""
    path = tmp_path / "history.jsonl"
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from capsize.core.events import PhaseChanged; from capsize.journal import Journal\n"
        "log = Journal(Path(sys.argv[1]))\n"
        "for n in range(1000): log.record(PhaseChanged(t=float(n), phase='chaos', what='begin'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [event.t for event in journal.read(path)] == [float(n) for n in range(1000)]


def test_a_history_from_before_contents_is_read(tmp_path: Path) -> None:
    """What older versions wrote is read as it was: nothing is promised, and nothing told."""
    path = tmp_path / "history.jsonl"
    path.write_text(
        '{"kind":"op","t":1.0,"call":"submit","client":"tasks","outcome":"ok","planned":0.9,"sent":0.9,"status":201,'
        '"key":"k","task":"a"}\n'
        '{"kind":"reported","t":9.0,"task":"a","status":"completed"}\n'
    )
    submitted, word = journal.read(path)
    assert isinstance(submitted, Op)
    assert isinstance(word, Reported)
    assert (submitted.content, word.content) == ({}, {})


def test_contents_survive_the_journal(tmp_path: Path) -> None:
    """Promised, told, and read in the table; a row that is not there stays apart from an empty one."""
    path = tmp_path / "history.jsonl"
    events = (
        Stored(t=1.0, task="a", content={"payload": '{"n":0.1}'}),
        Stored(t=1.0, task="b", content=None),
        Stored(t=1.0, task="c", content={}),
        Reported(t=1.0, task="a", status="completed", content={"payload": '"\\ud800"'}),
    )
    log = journal.Journal(path)
    for event in events:
        log.record(event)
    log.close()
    assert tuple(journal.read(path)) == events
