"""The guardian as a process: it plays what is open when its owner is gone, and lives no longer than that."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from capsize.core.undo import End, RemoveFolder, Run
from capsize.guardian.guardian import REVIVALS_MAX, Guardian, GuardianLost
from capsize.guardian.lifetime import lasting
from capsize.guardian.log import Before, Book, Healed, Opened, UndoLog
from capsize.guardian.owner import Owner
from capsize.guardian.playing import guarded_by, heal_log, play_all
from capsize.guardian.registry import register, registered
from support.waiting import until

# Folders are what is left here; the loop has nothing else to do while they are looked at.
# ruff: noqa: ASYNC240

LIMIT_S = 30.0

OWNER = """
import asyncio, sys
from pathlib import Path
from capsize.core.undo import RemoveFolder, Run
from capsize.guardian.guardian import Guardian

async def main():
    guard = Guardian(Path(sys.argv[1]), tell=lambda healed: None)
    guard.start()
    for path in sys.argv[2:]:
        guard.before(RemoveFolder(path=path))
    print(guard.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
"""A capsize that leaves folders, and is killed."""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the undo log is."""
    return tmp_path / "undo.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Something that is left on the machine."""
    path = tmp_path / "left"
    path.mkdir()
    return path


def eventually(look: Callable[[], object]) -> None:
    """Wait until a look is true."""
    end = time.monotonic() + LIMIT_S
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("whole_group", [False, True])
def test_when_its_owner_is_killed_everything_is_undone_and_it_ends(
    log: Path, tmp_path: Path, whole_group: bool
) -> None:
    """SIGKILL of the owner, or of its whole process group: the folders go, the note goes, and the guardian too."""
    folders = [tmp_path / name for name in ("a", "b")]
    for one in folders:
        one.mkdir()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, log, *folders], stdout=subprocess.PIPE, start_new_session=True
    )
    assert owner.stdout is not None
    guardian = psutil.Process(int(owner.stdout.readline()))
    assert len(registered()) == 1
    (os.killpg if whole_group else os.kill)(owner.pid, signal.SIGKILL)
    owner.communicate()
    eventually(lambda: not guardian.is_running() or guardian.status() == psutil.STATUS_ZOMBIE)
    assert not any(one.exists() for one in folders)
    assert Book.read(log).open == {}
    assert registered() == []


async def test_it_ends_with_its_owner_and_undoes_what_was_left(log: Path, folder: Path) -> None:
    """An orderly end: what was undone in order is not told, what was forgotten is undone and told."""
    told: list[Healed] = []
    async with Guardian(log, tell=told.append) as guard:
        guard.after(guard.before(RemoveFolder(path="/nowhere/at/all")))
        guard.before(RemoveFolder(path=str(folder)))
        process = psutil.Process(guard.pid)
    assert [(one.why, one.left) for one in told] == [("left", ())]
    assert not folder.exists()
    assert not process.is_running()
    assert registered() == []
    assert '"guard":"closed"' in log.read_text()


async def test_what_can_not_be_undone_is_told_and_stays_known(log: Path) -> None:
    """The owner hears what is left, the log keeps it, and so does the registry for later."""
    told: list[Healed] = []
    async with Guardian(log, tell=told.append) as guard:
        guard.before(Run(argv=("sh", "-c", "echo too busy; exit 1")))
    assert len(told) == 1
    assert "too busy" in told[0].left[0]
    assert len(Book.read(log).open) == 1
    assert len(registered()) == 1


async def test_steps_whose_time_is_over_are_undone_while_the_owner_lives(log: Path, folder: Path) -> None:
    """The time to live is the step's own, or that of the strike under way; others stay as they are."""
    told: list[Healed] = []
    kept = folder.with_name("kept")
    kept.mkdir()
    async with Guardian(log, tell=told.append) as guard:
        stays = guard.before(RemoveFolder(path=str(kept)))
        with lasting("s1", 0.05):
            guard.before(RemoveFolder(path=str(folder)))
        await until(lambda: told)
        assert [(one.why, one.strike, one.left) for one in told] == [("overdue", "s1", ())]
        assert not folder.exists()
        assert kept.exists()
        guard.after(stays)
    assert len(told) == 1


async def test_what_was_undone_in_time_is_not_overdue(log: Path, folder: Path) -> None:
    """After ``after`` nothing comes of a time to live."""
    told: list[Healed] = []
    async with Guardian(log, tell=told.append) as guard:
        guard.after(guard.before(RemoveFolder(path=str(folder)), ttl_s=0.2))
        guard.before(RemoveFolder(path=str(folder.with_name("other"))), ttl_s=0.4)
        await until(lambda: told)
    assert folder.exists()
    assert len(told) == 1


async def test_one_that_is_killed_is_started_again_and_knows_everything(log: Path, folder: Path) -> None:
    """The new one reads the log: what was open under the old one is undone by it, and capsize is warned."""
    warned: list[str] = []
    told: list[Healed] = []
    async with Guardian(log, tell=told.append, warn=warned.append) as guard:
        guard.before(RemoveFolder(path=str(folder)), ttl_s=3600.0)
        await guard.ready()
        first = guard.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: guard.pid not in (None, first))
        await guard.ready()
        assert len(warned) == 1
        assert "started again" in warned[0]
    assert not folder.exists()
    assert [one.why for one in told] == ["left"]


async def test_one_that_does_not_stay_alive_stops_the_run(log: Path) -> None:
    """After a few times capsize gives up, says why, and strikes nothing more."""
    async with Guardian(log, tell=lambda _: None) as guard:
        for _ in range(REVIVALS_MAX + 1):
            await guard.ready()
            pid = guard.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: guard.pid != pid)
        with pytest.raises(GuardianLost, match="ended 4 times"):
            guard.raise_lost()
        with pytest.raises(GuardianLost):
            guard.before(RemoveFolder(path="/nowhere/at/all"))
    assert registered() == []


async def test_a_step_is_on_the_disk_and_told_when_before_returns(log: Path, folder: Path) -> None:
    """Also when the guardian is still starting: what it is told waits for it."""
    guard = Guardian(log, tell=lambda _: None)
    guard.start()
    ticket = guard.before(RemoveFolder(path=str(folder)))
    assert [*Book.read(log).open] == [ticket]
    await guard.close()
    assert not folder.exists()


async def test_the_first_step_starts_it_and_it_is_started_once(log: Path, folder: Path) -> None:
    """A platform that tries the machine out does so before the run begins."""
    guard = Guardian(log, tell=lambda _: None)
    guard.after(guard.before(RemoveFolder(path=str(folder.with_name("trial")))))
    first = guard.pid
    async with guard:
        assert guard.pid == first
        guard.before(RemoveFolder(path=str(folder)))
    assert not folder.exists()
    assert log.read_text().count('"guard":"opened"') == 1


async def test_signals_that_end_a_terminal_s_programs_do_not_end_it(log: Path) -> None:
    """Ctrl-C, a hang-up and a shutdown are for capsize, which heals by itself."""
    async with Guardian(log, tell=lambda _: None) as guard:
        await guard.ready()
        pid = guard.pid
        assert pid is not None
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.kill(pid, number)
        await asyncio.sleep(0.1)
        assert guard.pid == pid
        assert psutil.pid_exists(pid)
        assert os.getsid(pid) == pid


async def test_a_state_folder_that_can_not_be_written_is_only_a_warning(
    log: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guardian works without its note."""
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nothing")
    warned: list[str] = []
    async with Guardian(log, tell=lambda _: None, warn=warned.append) as guard:
        guard.before(RemoveFolder(path=str(folder)))
    assert not folder.exists()
    assert "heal --all" in warned[0]


def test_steps_are_played_in_reverse_and_all_of_them(tmp_path: Path) -> None:
    """The last thing done is the first undone; one that fails keeps no other from being undone."""
    order = tmp_path / "order"

    def note(word: str) -> Run:
        return Run(argv=("sh", "-c", f"echo {word} >> {order}"))

    tickets = [
        Before(t=1.0, ticket="a", steps=(note("one"), note("two"))),
        Before(t=2.0, ticket="b", steps=(Run(argv=("false",)),)),
        Before(t=3.0, ticket="c", steps=(note("three"),)),
    ]
    healed = play_all(tickets, "died")
    assert order.read_text().split() == ["three", "two", "one"]
    assert [bool(one.left) for one in healed] == [False, True, False]


def test_a_step_that_needs_another_is_tried_again(tmp_path: Path) -> None:
    """What could not be undone before something else was is undone in the next round."""
    thing = tmp_path / "thing"
    thing.touch()
    first = Before(t=1.0, ticket="a", steps=(RemoveFolder(path=str(thing)),))
    needs = Before(t=2.0, ticket="b", steps=(Run(argv=("test", "!", "-e", str(thing))),))
    assert [one.left for one in play_all([first, needs], "died")] == [(), ()]


def test_after_a_reboot_no_process_is_touched(log: Path, folder: Path) -> None:
    """The numbers of another boot mean nothing; folders are still removed."""
    popen = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        UndoLog(log).append(Opened(t=1.0, owner=Owner(1, 1.0, "pid:[1] another-boot")))
        created = psutil.Process(popen.pid).create_time()
        steps = (RemoveFolder(path=str(folder)), End(pid=popen.pid, created=created))
        UndoLog(log).append(Before(t=1.0, ticket="a", steps=steps))
        assert guarded_by(log) is None
        assert [one.left for one in heal_log(log)] == [()]
        assert not folder.exists()
        assert popen.poll() is None
        assert heal_log(log) == []
    finally:
        popen.kill()
        popen.wait()


def test_an_owner_is_told_from_a_later_process_with_its_number() -> None:
    """The same number, created at another time, is somebody else."""
    me = Owner.of(os.getpid())
    assert me.here
    assert me.lives()
    assert not Owner(me.pid, me.created - 60.0, me.space).lives()
    assert Owner(me.pid, me.created, "pid:[1] another-boot").rebooted
    elsewhere = Owner(me.pid, me.created, f"pid:[1] {me.space.partition(' ')[2]}")
    assert (elsewhere.here, elsewhere.rebooted) == (False, False)


def test_a_note_tells_the_log_and_its_owner(tmp_path: Path, log: Path) -> None:
    """What ``capsize heal --all`` goes by; a note that is torn is left out."""
    me = Owner.of(os.getpid())
    note = register(log, me)
    note.with_name("torn.json").write_bytes(b'{"log": "/x", "own')
    assert [(path, entry.log, entry.owner) for path, entry in registered()] == [(note, str(log), me)]


async def test_where_nothing_can_be_written_nothing_may_be_broken(tmp_path: Path) -> None:
    """Without an undo log the run does not begin; nor without a process."""
    with pytest.raises(GuardianLost, match="can't be written"):
        Guardian(tmp_path / "no-such-folder" / "undo.jsonl", tell=lambda _: None).start()


async def test_a_guardian_that_can_not_be_started_is_said(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process, no strike."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    guard = Guardian(log, tell=lambda _: None)
    with pytest.raises(GuardianLost, match="can't be started"):
        guard.start()
    with pytest.raises(GuardianLost):
        guard.before(RemoveFolder(path="/nowhere/at/all"))
