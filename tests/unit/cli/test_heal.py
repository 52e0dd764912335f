"""``capsize heal`` on undo logs as a dead capsize leaves them: what it plays, what it says, and its exit codes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from capsize.cli.app import entry
from capsize.core.undo import RemoveFolder, Run, Undo
from capsize.guardian.log import Before, Opened, UndoLog
from capsize.guardian.owner import Owner
from capsize.guardian.registry import register, registered

ME = Owner.of(os.getpid())
DEAD = Owner(ME.pid, ME.created - 3600.0, ME.space)
REBOOTED = Owner(ME.pid, ME.created, "pid:[1] another-boot")
ELSEWHERE = Owner(ME.pid, ME.created, f"pid:[1] {ME.space.partition(' ')[2]}")
HOPELESS = Run(argv=("sh", "-c", "echo far too busy; exit 1"))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # Stacks of others on this machine are none of this test's business.
    monkeypatch.setattr("capsize.platforms.local.place.stale_places", list)


def left_by(path: Path, owner: Owner, *steps: Undo, known: bool = True) -> Path:
    """Return a run directory whose owner left these steps open."""
    path.mkdir()
    (path / "experiment.json").write_text("{}")
    log = UndoLog(path / "undo.jsonl")
    log.append(Opened(t=1.0, owner=owner))
    for number, step in enumerate(steps):
        log.append(Before(t=2.0, ticket=str(number), steps=(step,)))
    if known:
        register(log.path, owner)
    return path


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    """Something that was left on the machine."""
    path = tmp_path / "thing"
    path.mkdir()
    return path


@pytest.mark.parametrize("owner", [DEAD, REBOOTED])
def test_a_run_is_healed_once_and_again_without_harm(
    tmp_path: Path, thing: Path, owner: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its owner is dead, or of another boot: what was left goes, it is said, and there is no more to do."""
    run = left_by(tmp_path / "run", owner, RemoveFolder(path=str(thing)))
    assert entry(["heal", str(run)]) == 0
    assert not thing.exists()
    assert f"healed: remove {thing}" in capsys.readouterr().out
    assert registered() == []
    assert entry(["heal", str(run)]) == 0
    assert "nothing to heal" in capsys.readouterr().out


def test_all_heals_every_run_that_is_known(
    tmp_path: Path, thing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of dead owners; one that still goes on is left alone and named."""
    other = tmp_path / "other"
    other.mkdir()
    left_by(tmp_path / "a", DEAD, RemoveFolder(path=str(thing)))
    left_by(tmp_path / "b", ME, RemoveFolder(path=str(other)))
    assert entry(["heal", "--all"]) == 0
    told = capsys.readouterr().out
    assert not thing.exists()
    assert other.exists()
    assert f"{tmp_path / 'b'}: still going on (process {ME.pid})" in told
    assert [Path(found.log).parent.name for _, found in registered()] == ["b"]


@pytest.mark.parametrize("words", [["heal", "RUN"], ["heal", "--all"]])
def test_what_is_left_is_named_and_kept_for_the_next_time(
    tmp_path: Path, thing: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and why; what could be undone is undone, and the rest is tried again."""
    run = left_by(tmp_path / "run", DEAD, HOPELESS, RemoveFolder(path=str(thing)))
    argv = [str(run) if word == "RUN" else word for word in words]
    for _ in range(2):
        assert entry(argv) == 1
        assert "far too busy" in capsys.readouterr().out
    assert not thing.exists()
    assert len(registered()) == 1


@pytest.mark.parametrize("words", [["heal", "RUN"], ["heal", "--all"]])
def test_what_another_container_left_is_not_touched_from_here(
    tmp_path: Path, thing: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can tell from here whether its owner lives."""
    run = left_by(tmp_path / "run", ELSEWHERE, RemoveFolder(path=str(thing)))
    assert entry([str(run) if word == "RUN" else word for word in words]) == 1
    assert "another container" in capsys.readouterr().out
    assert thing.exists()


def test_a_run_that_goes_on_is_refused(
    tmp_path: Path, thing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It heals by itself; exit code 64, and nothing is touched."""
    run = left_by(tmp_path / "run", ME, RemoveFolder(path=str(thing)))
    assert entry(["heal", str(run)]) == 64
    assert "still going on" in capsys.readouterr().err
    assert thing.exists()


def test_a_log_that_is_gone_is_said_once(
    tmp_path: Path, thing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it may have left is not known, which is no clean bill of health."""
    run = left_by(tmp_path / "run", DEAD, RemoveFolder(path=str(thing)))
    (run / "undo.jsonl").unlink()
    assert entry(["heal", "--all"]) == 1
    assert "its undo log is gone" in capsys.readouterr().out
    assert entry(["heal", "--all"]) == 0
    assert "Nothing is left." in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["RUN", "--all"], ["nowhere"]])
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, thing: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither or both, or a folder that is no run: one message, exit code 64."""
    run = left_by(tmp_path / "run", DEAD, RemoveFolder(path=str(thing)))
    assert entry(["heal", *(str(run) if word == "RUN" else word for word in words)]) == 64
    assert "capsize heal:" in capsys.readouterr().err
    assert thing.exists()
