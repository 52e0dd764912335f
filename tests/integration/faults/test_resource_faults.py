"""The faults that take resources away, on real processes: computing time, memory, file descriptors."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import Missed
from capsize.core.events import Noted
from capsize.core.platform import Service
from capsize.core.undo import RemoveCgroup, Run
from capsize.faults import Cpu, Descriptors, Memory
from capsize.guardian import Unguarded
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.harm import groups
from capsize.platforms.local.harm.cgroups import controller
from capsize.platforms.local.keeper import RestartPolicy
from support.engines import missing, need_postgres
from support.guards import RecordingGuard
from support.harming import program, see, share, view
from support.tiny import POSTGRES, Recorder
from support.waiting import until

BUSY = "print('worker.ready')\nwhile True: sum(range(10000))"
GREEDY = """
import time
print('worker.ready')
time.sleep(0.3)
held = bytearray(160 << 20)
for page in range(0, len(held), 4096): held[page] = 1
print('full')
time.sleep(600)
"""


class Stack:
    """A platform that is up, with what it recorded and whom it told."""

    def __init__(self, folder: Path) -> None:
        self.record, self.guard = Recorder(), RecordingGuard()
        self.platform = LocalPlatform(
            folder, self.record, MonotonicClock(), {}, RestartPolicy(first_s=0.2), guard=self.guard
        )

    def pid(self, name: str) -> int:
        """Return the process of an instance that runs."""
        return next(i.pid for i in self.platform.instances() if i.name == name and i.pid is not None)


@asynccontextmanager
async def up(folder: Path, *services: Service) -> AsyncIterator[Stack]:
    """Have services up; afterwards nothing of them is left, and the guard has nothing more to watch over."""
    stack = Stack(folder)
    try:
        await stack.platform.up(services)
        yield stack
    finally:
        await stack.platform.down()
    assert stack.guard.open == {}
    assert not left_of([step.path for step in stack.guard.told if isinstance(step, RemoveCgroup)])


def left_of(paths: list[str]) -> list[str]:
    """Return which of these are still there."""
    return [path for path in paths if Path(path).exists()]


def limits_of(pid: int) -> str:
    """Return the limits of a process as everybody may see them."""
    return Path(f"/proc/{pid}/limits").read_text()


def need_groups(name: groups.Name) -> None:
    """Skip, or fail in CI, unless control groups can be made."""
    if isinstance(found := controller(name, Unguarded()), str):
        missing(found)


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no control group can be made."""
    monkeypatch.setattr(groups, "controller", lambda name, guard: f"no control groups for {name} here")


# ---------------------------------------------------------------- computing time


async def test_cpu_holds_the_victim_and_its_restarts_to_a_quota(tmp_path: Path) -> None:
    """A busy process has far less than a core, so has the one that follows it, and the other instance has not."""
    need_groups("cpu")
    async with up(tmp_path, program(BUSY, replicas=2)) as stack:
        told = await Cpu(cores=0.05).strike(stack.platform, ("worker-1",))
        assert told.startswith("cgroup v")
        assert await share(stack.pid("worker-1")) < 0.3
        await stack.platform.kill("worker-1")
        await until(lambda: stack.platform.instances()[0].ready)
        assert await share(stack.pid("worker-1")) < 0.3
        await runs_freely(stack.pid("worker-2"))
        await Cpu().heal(stack.platform, ("worker-1",))
        await Cpu().heal(stack.platform, ("worker-1",))
        await runs_freely(stack.pid("worker-1"))


async def runs_freely(pid: int) -> None:
    """Wait until a process has had more than any quota of these tests, however busy the machine is."""
    async with asyncio.timeout(60.0):
        while await share(pid, 0.3) < 0.15:
            pass


async def test_cpu_without_groups_crowds_the_machine_and_says_so(tmp_path: Path, no_groups: None) -> None:
    """Busy processes run beside the victim, in a number that is told and bounded, and are gone when healed."""
    async with up(tmp_path, program(BUSY)) as stack:
        before = set(psutil.pids())
        told = await Cpu(cores=0.5).strike(stack.platform, ("worker-1",))
        assert told.endswith("busy processes beside it (no control groups for cpu here)")
        crowd = _busy(before)
        assert len(crowd) == int(told.split()[0])
        await Cpu().heal(stack.platform, ("worker-1",))
        await Cpu().heal(stack.platform, ("worker-1",))
        assert not any(process.is_running() for process in crowd)


async def test_limits_of_a_service_are_kept_from_its_start(tmp_path: Path) -> None:
    """``cpu`` of a service bounds its instances, and a fault that is healed goes back to that bound."""
    need_groups("cpu")
    need_groups("memory")
    async with up(tmp_path, program(BUSY, cpu=0.1, memory=256 << 20)) as stack:
        assert await share(stack.pid("worker-1")) < 0.3
        await Cpu(cores=1.0).strike(stack.platform, ("worker-1",))
        await Cpu().heal(stack.platform, ("worker-1",))
        assert await share(stack.pid("worker-1")) < 0.3


async def test_a_limit_of_memory_is_kept(tmp_path: Path) -> None:
    """A service that takes more than its ``memory`` is killed by the kernel."""
    need_groups("memory")
    async with up(tmp_path, program(GREEDY, memory=64 << 20)) as stack:
        await until(lambda: -9 in stack.record.codes("worker-1"))


async def test_limits_that_can_t_be_kept_are_told_once(tmp_path: Path, no_groups: None) -> None:
    """Without groups the services run unlimited, and the record says so in one line."""
    async with up(tmp_path, program(BUSY, cpu=0.1, memory=1 << 30, replicas=2)) as stack:
        told = [event for event in stack.record.events if isinstance(event, Noted)]
        assert [event.message for event in told] == [
            "the limits of worker are not kept: no control groups for cpu here"
        ]


async def test_a_disk_in_memory_does_not_count_as_the_database_s_memory(tmp_path: Path) -> None:
    """A database whose data is in memory has no limit on its memory, or its disk would be what kills it."""
    need_postgres()
    need_groups("memory")
    database = Service(name="postgres", role="database", memory=48 << 20)
    async with up(tmp_path, database) as stack:
        place = stack.platform.place
        if place is None or not place.is_relative_to("/dev/shm"):
            pytest.skip("temporary folders are not in memory here")
        await stack.platform.query(
            "create table large as select repeat('x', 1000) from generate_series(1, 60000)"
        )
        assert stack.record.codes("postgres-1") == []
        notes = [event.message for event in stack.record.events if isinstance(event, Noted)]
        assert notes == ["the memory of postgres is not limited: its disk is in memory and would be counted"]


# ---------------------------------------------------------------- memory


async def test_memory_is_a_kill_by_the_kernel(tmp_path: Path) -> None:
    """The victim dies of SIGKILL that the kernel counted as one for memory; it comes back and stays."""
    need_groups("memory")
    async with up(tmp_path, view(replicas=2)) as stack:
        told = await Memory().strike(stack.platform, ("api-1",))
        assert "killed by the kernel" in told
        assert stack.record.codes("api-1") == [-9]
        await Memory().heal(stack.platform, ("api-1",))
        assert stack.record.codes("api-1") == [-9]
        assert stack.record.codes("api-2") == []
        assert (await see(stack.platform, "api-1"))["pid"] == stack.pid("api-1")


async def test_memory_with_a_limit_holds_the_restarts_to_it(tmp_path: Path) -> None:
    """As long as it is not healed, whoever takes more than the limit is killed again; then it has what it takes."""
    need_groups("memory")
    async with up(tmp_path, program(GREEDY)) as stack:
        await Memory(limit_mib=64).strike(stack.platform, ("worker-1",))
        await until(lambda: len(stack.record.codes("worker-1")) >= 3)
        assert set(stack.record.codes("worker-1")) == {-9}
        await Memory(limit_mib=64).heal(stack.platform, ("worker-1",))
        log = tmp_path / "worker-1.log"
        seen = log.read_text().count("full")
        await until(lambda: log.read_text().count("full") > seen)


async def test_memory_without_groups_refuses_instead_and_says_so(tmp_path: Path, no_groups: None) -> None:
    """Nobody is killed: the address space stays as large as it is, until it is healed."""
    async with up(tmp_path, view(replicas=1)) as stack:
        before = resource.prlimit(stack.pid("api-1"), resource.RLIMIT_AS)
        told = await Memory().strike(stack.platform, ("api-1",))
        assert "refused, nothing is killed (no control groups for memory here)" in told
        assert resource.prlimit(stack.pid("api-1"), resource.RLIMIT_AS)[0] < 1 << 40
        await Memory().heal(stack.platform, ("api-1",))
        assert resource.prlimit(stack.pid("api-1"), resource.RLIMIT_AS) == before
        assert stack.record.codes("api-1") == []


# ---------------------------------------------------------------- descriptors


async def test_descriptors_leave_none_for_a_new_connection(tmp_path: Path) -> None:
    """The victim can't take a connection in, the other instance can, and after the healing both can."""
    async with up(tmp_path, view(replicas=2)) as stack:
        pid = stack.pid("api-1")
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        await Descriptors().strike(stack.platform, ("api-1",))
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] <= len(psutil.Process(pid).open_files()) + 32
        with pytest.raises((OSError, TimeoutError)):
            await see(stack.platform, "api-1", limit_s=1.0)
        assert await see(stack.platform, "api-2")
        steps = [step for step in stack.guard.told if isinstance(step, Run)]
        assert str(pid) in steps[0].argv
        await Descriptors().heal(stack.platform, ("api-1",))
        await Descriptors().heal(stack.platform, ("api-1",))
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == before
        assert (await see(stack.platform, "api-1"))["pid"] == pid


async def test_descriptors_with_some_to_spare(tmp_path: Path) -> None:
    """With enough of them left, nothing fails."""
    async with up(tmp_path, view(replicas=1)) as stack:
        await Descriptors(spare=50).strike(stack.platform, ("api-1",))
        assert await see(stack.platform, "api-1")


async def test_descriptors_of_another_user_s_processes(tmp_path: Path) -> None:
    """PostgreSQL runs as somebody else where we are root: its processes are limited, and given back, all the same."""
    need_postgres()
    async with up(tmp_path, POSTGRES) as stack:
        pid = stack.pid("postgres-1")
        before = limits_of(pid)
        await Descriptors(spare=1).strike(stack.platform, ("postgres-1",))
        assert limits_of(pid) != before
        await Descriptors().heal(stack.platform, ("postgres-1",))
        assert limits_of(pid) == before
        assert await stack.platform.query("select 1 as one") == [{"one": 1}]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("fault", [Cpu(), Memory(), Descriptors()], ids=lambda fault: fault.name)
async def test_with_nothing_to_hit_it_misses(tmp_path: Path, fault: Cpu | Memory | Descriptors) -> None:
    """A strike on what is down raises Missed; to heal it changes nothing, and starts what must be up."""
    async with up(tmp_path, view(replicas=1)) as stack:
        await fault.heal(stack.platform, ("api-1", "api-9"))
        await stack.platform.stop("api-1")
        with pytest.raises(Missed):
            await fault.strike(stack.platform, ("api-1",))


def _busy(before: set[int]) -> list[psutil.Process]:
    fresh = [process for process in psutil.process_iter() if process.pid not in before]
    return [process for process in fresh if any("busy.py" in part for part in process.cmdline())]
