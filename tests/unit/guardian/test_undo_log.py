"""The undo log: what it says is still open, whatever happened to its writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsize.core.experiment import Spec
from capsize.core.undo import Resume, Unmount
from capsize.guardian import UndoLog, still_open
from capsize.guardian.log import After, Before, Book, Healed

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


def test_tickets_are_open_until_they_are_undone(path: Path) -> None:
    """What was announced and not undone is open, in its order; lines of strikes are no tickets, nor the reverse."""
    log = UndoLog(path)
    log.about_to("s1", STOP, ["postgres-1"])
    log.append(Before(t=1.0, ticket="a", steps=(Unmount(path="/x"),)))
    log.append(Before(t=2.0, ticket="b", steps=(Resume(pid=1, created=2.0),), ttl_s=3.0, strike="s1"))
    log.append(Before(t=3.0, ticket="c", steps=()))
    log.append(After(t=4.0, ticket="a"))
    log.append(Healed(t=5.0, ticket="c", why="died"))
    assert [*Book.read(path).open] == ["b"]
    assert Book.read(path).open["b"].steps == (Resume(pid=1, created=2.0),)
    assert [strike.strike for strike in still_open(path)] == ["s1"]


def test_a_ticket_of_which_something_is_left_stays_open(path: Path) -> None:
    """It was played in vain: the next one who heals has to play it again."""
    log = UndoLog(path)
    log.append(Before(t=1.0, ticket="a", steps=(Unmount(path="/x"),)))
    log.append(Healed(t=2.0, ticket="a", why="died", left=("/x is still mounted",)))
    assert [*Book.read(path).open] == ["a"]


def test_a_kind_of_step_that_is_not_known_spoils_nothing(path: Path) -> None:
    """A log of a later version is read as far as it is understood."""
    path.write_bytes(b'{"guard":"before","t":1,"ticket":"a","steps":[{"undo":"teleport"}]}\n')
    UndoLog(path).append(Before(t=1.0, ticket="b", steps=(Unmount(path="/x"),)))
    assert [*Book.read(path).open] == ["b"]
