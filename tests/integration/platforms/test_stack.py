"""A stack that stays up: one at a time, told what to do over its socket, and gone after ``down``."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from capsize.core.errors import Missed, StartError, UsageError
from capsize.core.platform import CpuLimitable, Killable, Pausable, Scalable, Startable
from capsize.platforms.local import attach, stack
from support.tiny import api, worker
from support.waiting import until

SERVICES = (api(), worker())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the state; whatever is up in it at the end is taken down."""
    state = tmp_path / "state"
    state.mkdir()
    return state


def test_up_status_down(folder: Path) -> None:
    """``up`` returns when all is ready, ``status`` tells what is there, and after ``down`` nothing is."""
    news: list[str] = []
    state = stack.up(SERVICES, folder=folder, tell=news.append)
    try:
        assert "api-1 ready" in news
        found = stack.status(folder)
        assert found is not None
        assert found.state == state
        assert [i.name for i in found.instances] == ["api-1", "worker-1", "worker-2"]
        assert all(i.ready for i in found.instances)
        assert (folder / "stack.json").stat().st_mode & 0o077 == 0
        pids = [i.pid for i in found.instances if i.pid] + [state.pid]
    finally:
        assert stack.down(folder)
    assert not any(psutil.pid_exists(pid) and _alive(pid) for pid in pids)
    assert stack.status(folder) is None
    assert not stack.down(folder)
    assert not Path(state.socket).parent.exists()


def test_it_does_what_it_is_told(folder: Path) -> None:
    """Every ability of its platform can be called from here, and a mistake is answered with what is known."""
    stack.up(SERVICES, folder=folder)
    try:
        asyncio.run(_every_ability(folder))
        for wrong in ("dance", '{"call": "down"}', '{"call": "kill", "args": ["nobody"]}'):
            with pytest.raises(UsageError):
                stack.ask(wrong, folder=folder)
    finally:
        stack.down(folder)


async def _every_ability(folder: Path) -> None:
    there: Any = attach(folder)
    for ability in (Killable, Startable, Pausable, Scalable, CpuLimitable):
        assert isinstance(there, ability)
    before = _pids(folder)
    await there.kill("api-1")
    await there.start("api-1")
    await there.stop("worker-1", hard=True)
    await there.start("worker-1")
    after = _pids(folder)
    assert after["api-1"] != before["api-1"]
    assert after["worker-1"] != before["worker-1"]
    await there.pause("worker-2")
    pid = after["worker-2"]
    assert pid is not None
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    await there.resume("worker-2")
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED
    await there.stop("worker-2")
    assert _pids(folder)["worker-2"] is None
    with pytest.raises(Missed, match="worker-2 was not running"):
        await there.kill("worker-2")
    await there.scale("worker", 1)
    assert list(_pids(folder)) == ["api-1", "worker-1"]
    with pytest.raises(UsageError, match="Known: api-1, worker-1"):
        await there.kill("nobody")
    assert there.alive()


def test_a_call_that_is_given_up_is_given_up_over_there(folder: Path) -> None:
    """Stopping a process that ignores SIGTERM is cancelled: the caller hears the end, and the process is there."""
    stubborn = api("--ignore-term", grace_s=600.0)
    stack.up((stubborn,), folder=folder)

    async def main() -> None:
        there: Any = attach(folder)
        stopping = asyncio.create_task(there.stop("api-1"))
        await until(lambda: not there.instances()[0].ready)
        stopping.cancel()
        async with asyncio.timeout(30.0):
            await asyncio.wait({stopping})
        assert stopping.cancelled()
        await there.kill("api-1")

    try:
        before = _pids(folder)
        asyncio.run(main())
        assert _pids(folder) != before
    finally:
        stack.down(folder)


def test_a_second_stack_is_refused(folder: Path) -> None:
    """The message names the process of the first one and how to end it; the first one stays as it is."""
    state = stack.up((worker(),), folder=folder)
    try:
        with pytest.raises(UsageError, match=rf"process {state.pid}.*capsize down"):
            stack.up((worker(),), folder=folder)
        assert stack.status(folder) is not None
    finally:
        stack.down(folder)


def test_a_stack_that_does_not_start_leaves_nothing(folder: Path) -> None:
    """The reason comes through with the log's end, and the next ``up`` is free to go."""
    with pytest.raises(StartError, match=r"(?s)exit code 5.*no way"):
        stack.up((api("--exit", "5", "--say", "no way"),), folder=folder)
    assert stack.status(folder) is None
    stack.up((worker(),), folder=folder)
    assert stack.down(folder)


def test_a_killed_supervisor_is_noticed(folder: Path) -> None:
    """What a dead supervisor left is cleared away, its instances died with it, and a new stack starts."""
    state = stack.up((worker(),), folder=folder)
    pids = _pids(folder)
    os.kill(state.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid) for pid in pids.values() if pid and psutil.pid_exists(pid)], 10)
    assert not any(_alive(pid) for pid in pids.values() if pid)
    assert stack.status(folder) is None
    assert not (folder / "stack.json").exists()
    stack.up((worker(),), folder=folder)
    assert stack.down(folder)


def test_without_a_stack_a_command_says_so(folder: Path) -> None:
    """Asking where nothing is up is a usage error that tells how to start one."""
    with pytest.raises(UsageError, match="capsize up"):
        stack.ask("status", folder=folder)


def _pids(folder: Path) -> dict[str, int | None]:
    found = stack.status(folder)
    assert found is not None
    return {i.name: i.pid for i in found.instances}


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
