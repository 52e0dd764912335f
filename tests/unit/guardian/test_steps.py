"""Undo steps on real processes, folders, mounts and control groups: undone, again, and never somebody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from capsize.core.errors import HealError
from capsize.core.undo import (
    End,
    Place,
    RemoveCgroup,
    RemoveFolder,
    Resume,
    Run,
    Undo,
    Unmount,
)
from capsize.guardian.belonging import MARK
from capsize.guardian.steps.mounts import mounted
from capsize.guardian.steps.play import describe, play
from support.engines import missing

LIMIT_S = 20.0
FAMILY = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"


def seen(look: Callable[[], object]) -> None:
    """Wait until a look is true."""
    end = time.monotonic() + LIMIT_S
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def family() -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """A process in a session of its own, and its child."""
    popen = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert popen.stdout is not None
    child = psutil.Process(int(popen.stdout.readline()))
    try:
        yield psutil.Process(popen.pid), child
    finally:
        for one in (popen.pid, child.pid):
            if one == popen.pid or child.is_running():
                os.kill(one, signal.SIGKILL)
        popen.communicate()


def dead(process: psutil.Process) -> bool:
    """Return whether a process has ended."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_frozen_family_goes_on(family: tuple[psutil.Process, psutil.Process]) -> None:
    """Resume thaws a process and its children; again, nothing happens."""
    for one in family:
        one.send_signal(signal.SIGSTOP)
    seen(lambda: all(one.status() == psutil.STATUS_STOPPED for one in family))
    step = Resume(pid=family[0].pid, created=family[0].create_time())
    play(step)
    assert not any(one.status() == psutil.STATUS_STOPPED for one in family)
    play(step)


def test_a_family_is_ended_frozen_or_not(family: tuple[psutil.Process, psutil.Process]) -> None:
    """End kills a process and its children, and is played twice without harm."""
    family[1].send_signal(signal.SIGSTOP)
    step = End(pid=family[0].pid, created=family[0].create_time())
    play(step)
    assert all(dead(one) for one in family)
    play(step)


def test_what_a_dead_process_left_in_its_session_is_ended(
    family: tuple[psutil.Process, psutil.Process],
) -> None:
    """The parent died first: its child is an orphan, and still found."""
    step = End(pid=family[0].pid, created=family[0].create_time())
    family[0].kill()
    seen(lambda: dead(family[0]))
    assert not dead(family[1])
    play(step)
    seen(lambda: dead(family[1]))


@pytest.mark.parametrize("kind", [End, Resume])
def test_a_later_process_with_the_same_number_is_left_alone(
    family: tuple[psutil.Process, psutil.Process], kind: type[End] | type[Resume]
) -> None:
    """The number was given again: the time of creation tells, and nobody is hit."""
    family[0].send_signal(signal.SIGSTOP)
    seen(lambda: family[0].status() == psutil.STATUS_STOPPED)
    play(kind(pid=family[0].pid, created=family[0].create_time() - 3600.0))
    assert family[0].status() == psutil.STATUS_STOPPED


def test_a_folder_is_removed_with_what_is_in_it(tmp_path: Path) -> None:
    """Folders and files go, and what is gone is fine."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("a", "file", "never-there"):
        play(RemoveFolder(path=str(tmp_path / name)))
        play(RemoveFolder(path=str(tmp_path / name)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/", "/tmp", "/etc", "relative/folder", "/tmp/a/../..", str(Path.home())])
def test_what_can_not_be_ours_is_not_removed(path: str) -> None:
    """A mistake in a log must not cost somebody's files."""
    with pytest.raises(HealError, match="left alone"):
        play(RemoveFolder(path=path))


def test_a_place_that_is_none_is_left_alone(tmp_path: Path) -> None:
    """Only folders with the name of a stack's are taken for one."""
    with pytest.raises(HealError, match="left alone"):
        play(Place(path=str(tmp_path)))
    assert tmp_path.is_dir()


def test_a_place_goes_with_every_process_of_its_stack(tmp_path: Path) -> None:
    """By its mark or its working directory, frozen or running; the folder goes too."""
    place = tmp_path / "capsize-test"
    (place / "data").mkdir(parents=True)
    marked = subprocess.Popen(["sleep", "60"], env={MARK: str(place)}, start_new_session=True)
    inside = subprocess.Popen(["sleep", "60"], cwd=place / "data", start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={MARK: str(place) + "-other"}, start_new_session=True)
    try:
        os.kill(inside.pid, signal.SIGSTOP)
        play(Place(path=str(place)))
        assert (marked.wait(LIMIT_S), inside.wait(LIMIT_S)) == (-signal.SIGKILL, -signal.SIGKILL)
        assert not place.exists()
        assert other.poll() is None
        play(Place(path=str(place)))
    finally:
        for one in (marked, inside, other):
            one.kill()
            one.wait()


def test_a_command_is_run_until_nothing_is_left(tmp_path: Path) -> None:
    """``gone`` decides whether it is run, and whether it has worked."""
    thing, count = tmp_path / "thing", tmp_path / "count"
    thing.touch()
    undo = Run(argv=("sh", "-c", f"echo >> {count}; rm {thing}"), gone=("test", "-e", str(thing)), ok=(0,))
    play(undo)
    play(undo)
    assert not thing.exists()
    assert len(count.read_text()) == 1


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Run(argv=("false",)), "false ended with 1"),
        (Run(argv=("sh", "-c", "echo busy; exit 3"), ok=(0, 1)), "ended with 3: busy"),
        (Run(argv=("true",), gone=("true",)), "ended with 0"),
        (Run(argv=("sleep", "30"), limit_s=0.05), "did not end within 0.05 s"),
        (Run(argv=("no-such-program-anywhere",)), "not installed"),
    ],
)
def test_a_command_that_did_not_help_says_so(step: Run, said: str) -> None:
    """Its exit code, or that the thing is still there, is an error that names the command."""
    with pytest.raises(HealError, match=said):
        play(step)


def test_a_command_with_another_good_code_has_worked() -> None:
    """``ok`` lists what counts as done."""
    play(Run(argv=("sh", "-c", "exit 3"), ok=(0, 3)))


def test_mounts_are_unmounted_layer_by_layer(tmp_path: Path) -> None:
    """Two file systems on one path, one of them in use: both go, and the folder can be removed then."""
    point = tmp_path / "with blank"
    point.mkdir()
    for _ in range(2):
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "capsize-test", point], capture_output=True, check=False
        )
        if done.returncode != 0:
            missing(f"mount is not allowed here: {done.stderr.decode().strip()}")
    with (point / "held").open("w"):
        with pytest.raises(HealError, match="is mounted there"):
            play(RemoveFolder(path=str(tmp_path)))
        play(Unmount(path=str(point)))
    assert point not in mounted()
    play(Unmount(path=str(point)))
    play(RemoveFolder(path=str(point)))
    assert not point.exists()


def test_a_cgroup_is_emptied_and_removed(family: tuple[psutil.Process, psutil.Process]) -> None:
    """Its processes go on in the group above, frozen ones too; those below it go with it."""
    group = _cgroup()
    (group / "below").mkdir()
    (group / "below" / "cgroup.procs").write_text(str(family[0].pid))
    for name, value in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
        if (group / "below" / name).exists():
            (group / "below" / name).write_text(value)
    play(RemoveCgroup(path=str(group)))
    assert not group.exists()
    assert family[0].is_running()
    play(RemoveCgroup(path=str(group)))


def _cgroup() -> Path:
    name = f"capsize-test-{os.getpid()}"
    root = Path("/sys/fs/cgroup")
    for group in (root / "freezer" / name, root / name):
        try:
            if (group.parent / "cgroup.procs").exists():
                group.mkdir()
                return group
        except OSError:
            continue
    missing("no control group can be made here")
    raise AssertionError


@pytest.mark.parametrize("path", ["/sys/fs/cgroup", "/tmp/capsize", "/sys/fs/cgroup/../../../tmp"])
def test_what_is_no_cgroup_of_ours_is_left_alone(path: str) -> None:
    """Nor is the root of all."""
    with pytest.raises(HealError, match="left alone"):
        play(RemoveCgroup(path=path))


@pytest.mark.parametrize(
    "step",
    [
        Run(argv=("nft", "delete", "table")),
        Resume(pid=1, created=0.0),
        End(pid=1, created=0.0),
        Unmount(path="/a"),
        RemoveFolder(path="/a"),
        RemoveCgroup(path="/a"),
        Place(path="/a"),
    ],
)
def test_every_step_can_be_told(step: Undo) -> None:
    """In a few words that name what it is about."""
    assert len(describe(step).split()) >= 2
