"""The faults in what a process stands on, on real processes and a real PostgreSQL: disk, clock and names."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import InjectionError, Missed
from capsize.core.platform import (
    ClockSkewable,
    DiskBreakable,
    DiskFillable,
    NamesBreakable,
    NameTrouble,
    Service,
    name_of,
)
from capsize.core.undo import RemoveCgroup, RemoveFolder, Unmount
from capsize.faults import ClockSkew, Cpu, DiskError, DiskFull, DiskSlow, Dns
from capsize.guardian.place import remove_place
from capsize.guardian.steps.mounts import mounted
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.harm import disks
from capsize.platforms.local.keeper import RestartPolicy
from support.engines import need_postgres
from support.guards import RecordingGuard
from support.harming import ask_at, need, program, see, view
from support.tiny import POSTGRES, Recorder
from support.waiting import until

HOUR_S = 3600.0
ON_DISK = Service(name="postgres", role="database", prepared=("disk",))


class Stack:
    """A platform that is up, with what it recorded and whom it told."""

    def __init__(self, folder: Path) -> None:
        self.record, self.guard = Recorder(), RecordingGuard()
        self.platform = LocalPlatform(
            folder, self.record, MonotonicClock(), {}, RestartPolicy(first_s=0.2), guard=self.guard
        )


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
    assert left_of(stack.guard) == []


def left_of(guard: RecordingGuard) -> list[str]:
    """Return what the guard was told of and is still there."""
    told = [step.path for step in guard.told if isinstance(step, Unmount | RemoveCgroup | RemoveFolder)]
    return [path for path in told if Path(path) in mounted() or Path(path).exists()]


# ---------------------------------------------------------------- disk


@pytest.fixture
def no_fuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without FUSE."""
    monkeypatch.setattr(disks, "fuse_lacking", lambda guard: "no FUSE here")


async def writes(stack: Stack) -> bool:
    """Return whether the database takes a row that needs room; raises what else goes wrong."""
    connection = await asyncpg.connect(stack.platform.database_url, ssl=False, timeout=10.0)
    try:
        await connection.execute("create table if not exists kept (text text)")
        await connection.execute("insert into kept select repeat('x', 100) from generate_series(1, 5000)")
    except asyncpg.DiskFullError:
        return False
    finally:
        await connection.close(timeout=5.0)
    return True


async def kept(stack: Stack) -> int:
    """Return how many rows are there."""
    return int((await stack.platform.query("select count(*) as n from kept"))[0]["n"])


async def test_disk_full_refuses_what_needs_room_and_keeps_what_was_there(tmp_path: Path) -> None:
    """PostgreSQL on our disk says 53100 while it is full, runs on, and takes rows again when it is healed."""
    need_postgres()
    need(DiskFillable)
    async with up(tmp_path, ON_DISK) as stack:
        assert await writes(stack)
        told = await DiskFull().strike(stack.platform, ("postgres-1",))
        assert told == "FUSE; no space left"
        assert not await writes(stack)
        assert await kept(stack) == 5000
        assert "operations met it" in await DiskFull().heal(stack.platform, ("postgres-1",))
        assert await DiskFull().heal(stack.platform, ("postgres-1",)) == ""
        assert await writes(stack)
        assert await kept(stack) == 10_000


async def test_disk_full_without_fuse_is_a_small_file_system(tmp_path: Path, no_fuse: None) -> None:
    """As root the disk is a tmpfs that is filled with ballast; it can't be made to fail, and says so."""
    need_postgres()
    need(DiskFillable)
    async with up(tmp_path, ON_DISK) as stack:
        assert await writes(stack)
        assert await DiskFull().strike(stack.platform, ("postgres-1",)) == "tmpfs; no space left"
        assert not await writes(stack)
        with pytest.raises(InjectionError, match="can only be filled: no FUSE here"):
            await DiskError().strike(stack.platform, ("postgres-1",))
        await DiskFull().heal(stack.platform, ("postgres-1",))
        assert await writes(stack)
        assert await kept(stack) == 10_000


async def test_disk_error_is_an_io_error_and_the_database_comes_back(tmp_path: Path) -> None:
    """Rows are refused while writes fail; after the healing the server is up and has what it had acknowledged."""
    need_postgres()
    need(DiskBreakable)
    async with up(tmp_path, ON_DISK) as stack:
        assert await writes(stack)
        told = await DiskError(operations=("write", "sync")).strike(stack.platform, ("postgres-1",))
        assert told == "FUSE; I/O errors to write, sync"
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await writes(stack)
        await DiskError().heal(stack.platform, ("postgres-1",))
        await eventually(lambda: writes(stack))
        assert await kept(stack) in (10_000, 15_000)


async def eventually(look: Callable[[], object]) -> None:
    """Repeat something until it does not raise: a server that recovers turns clients away meanwhile."""
    async with asyncio.timeout(30.0):
        while True:
            try:
                await look()  # type: ignore[misc]
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await asyncio.sleep(0.1)
            else:
                return


async def test_disk_error_of_reads_leaves_writes_alone(tmp_path: Path) -> None:
    """An instance with data of its own writes on; reading is what fails, beside it at least."""
    need(DiskBreakable)
    async with up(tmp_path, view("disk", replicas=2)) as stack:
        await DiskError(operations=("write",)).strike(stack.platform, ("api-1",))
        assert await see(stack.platform, "api-1", "/write") == {"errno": errno.EIO}
        assert await see(stack.platform, "api-2", "/write") == {"errno": None}
        await DiskError().heal(stack.platform, ("api-1",))
        await DiskError(operations=("read",)).strike(stack.platform, ("api-1",))
        assert await see(stack.platform, "api-1", "/write") == {"errno": None}
        await DiskError().heal(stack.platform, ("api-1",))


async def test_disk_slow_takes_its_time(tmp_path: Path) -> None:
    """A write takes at least the latency, and all of it no more bytes a second than given; then it is fast again."""
    need(DiskBreakable)
    async with up(tmp_path, view("disk", replicas=1)) as stack:

        async def took() -> float:
            began = time.monotonic()
            assert await see(stack.platform, "api-1", "/write") == {"errno": None}
            return time.monotonic() - began

        await DiskSlow(latency_ms=300).strike(stack.platform, ("api-1",))
        assert await took() >= 0.3
        await DiskSlow(latency_ms=0, kib_per_s=20).strike(stack.platform, ("api-1",))
        assert await took() >= 0.4
        await DiskSlow().heal(stack.platform, ("api-1",))
        assert min([await took() for _ in range(10)]) < 0.3


# ---------------------------------------------------------------- clock


@pytest.mark.parametrize("offset_s", [HOUR_S, -HOUR_S])
async def test_clock_skew_moves_the_wall_clock_and_nothing_else(tmp_path: Path, offset_s: float) -> None:
    """The victim and its restarts are off by an hour, its monotonic clock and the other instance are right."""
    need(ClockSkewable)
    async with up(tmp_path, view("clock")) as stack:
        before = await see(stack.platform, "api-1")
        assert abs(before["wall"] - time.time()) < 60
        told = await ClockSkew(offset_s=offset_s).strike(stack.platform, ("api-1",))
        assert told == f"libfaketime; its clock is off by {offset_s:+.0f} s"
        off = await see(stack.platform, "api-1")
        assert abs(off["wall"] - time.time() - offset_s) < 60
        assert 0 <= off["monotonic"] - before["monotonic"] < 60
        assert abs((await see(stack.platform, "api-2"))["wall"] - time.time()) < 60
        await stack.platform.kill("api-1")
        await until(lambda: stack.platform.instances()[0].ready)
        assert abs((await see(stack.platform, "api-1"))["wall"] - time.time() - offset_s) < 60
        await ClockSkew(offset_s=offset_s).heal(stack.platform, ("api-1",))
        await ClockSkew(offset_s=offset_s).heal(stack.platform, ("api-1",))
        assert abs((await see(stack.platform, "api-1"))["wall"] - time.time()) < 60


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("how", ["nxdomain", "servfail"])
async def test_dns_fails_the_victim_s_lookups_alone(tmp_path: Path, how: NameTrouble) -> None:
    """The victim resolves no name, the other instance does, and when it is healed both do."""
    need(NamesBreakable)
    async with up(tmp_path, view("names")) as stack:
        path = f"/resolve/{name_of('api')}"
        assert await see(stack.platform, "api-1", path) == {"address": "127.0.0.1"}
        await Dns(how=how).strike(stack.platform, ("api-1",))
        assert "error" in await see(stack.platform, "api-1", path, limit_s=60.0)
        assert await see(stack.platform, "api-2", path) == {"address": "127.0.0.1"}
        assert "questions met it" in await Dns(how=how).heal(stack.platform, ("api-1",))
        assert await Dns(how=how).heal(stack.platform, ("api-1",)) == ""
        assert await see(stack.platform, "api-1", path) == {"address": "127.0.0.1"}


async def test_dns_that_never_answers_leaves_the_caller_waiting(tmp_path: Path) -> None:
    """The lookup is still under way after a second, and comes to its end once there are answers again."""
    need(NamesBreakable)
    async with up(tmp_path, view("names", replicas=1)) as stack:
        await Dns(how="hang").strike(stack.platform, ("api-1",))
        asking = asyncio.create_task(see(stack.platform, "api-1", f"/resolve/{name_of('api')}", limit_s=60.0))
        done, _ = await asyncio.wait({asking}, timeout=1.0)
        assert not done
        await Dns(how="hang").heal(stack.platform, ("api-1",))
        assert await asking == {"address": "127.0.0.1"}


async def test_services_that_may_lose_names_know_each_other_by_name(tmp_path: Path) -> None:
    """The database's address that such a service is given holds its host name; nobody else's does."""
    need_postgres()
    need(NamesBreakable)
    text = "import os; print(os.environ['URL'].split('@')[1]); print('worker.ready'); import time; time.sleep(600)"
    named = program(text, env={"URL": "{database_url}"}, prepared=("names",))
    plain = msgspec.structs.replace(named, name="plain", prepared=())
    async with up(tmp_path, POSTGRES, named, plain):
        for service, host in (("worker", name_of("postgres")), ("plain", "127.0.0.1")):
            assert f"\n{host}:" in (tmp_path / f"{service}-1.log").read_text()


# ---------------------------------------------------------------- all of them

ALL = [DiskFull(), DiskError(), DiskSlow(), ClockSkew(offset_s=1.0), Dns()]


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
async def test_who_was_not_started_ready_for_it_is_not_harmed(tmp_path: Path, fault: DiskFull) -> None:
    """The strike is refused with a reason, healing it changes nothing, and what is down is missed."""
    async with up(tmp_path, view(replicas=1)) as stack:
        await fault.heal(stack.platform, ("api-1", "api-9"))
        with pytest.raises(InjectionError, match="was not started"):
            await fault.strike(stack.platform, ("api-1",))
        await stack.platform.stop("api-1")
        with pytest.raises(Missed):
            await fault.strike(stack.platform, ("api-1",))


async def test_a_stack_that_is_left_up_stands_on_what_was_laid(tmp_path: Path) -> None:
    """Without capsize its disk works, its names are known, and removing its folder removes all of it."""
    need_postgres()
    need(DiskBreakable)
    need(NamesBreakable)
    guard = RecordingGuard()
    platform = LocalPlatform(tmp_path, Recorder(), MonotonicClock(), {}, outlives=True, guard=guard)
    try:
        await platform.up((ON_DISK, view("names", replicas=1)))
        url = platform.database_url
        (instance,) = platform.instances("api")
        place = platform.leave()
    finally:
        await platform.down()
    assert guard.open == {}
    try:
        connection = await asyncpg.connect(url, ssl=False, timeout=10.0)
        await connection.execute("create table kept as select generate_series(1, 1000)")
        await connection.close()
        found = await ask_at(instance.port, f"/resolve/{name_of('postgres')}")
        assert found == {"address": "127.0.0.1"}
    finally:
        await asyncio.to_thread(remove_place, place)
    assert left_of(guard) == []


def test_nothing_is_left_of_a_stack_whose_owner_was_killed(tmp_path: Path) -> None:
    """Removing the folder of a stack also removes its mounts, control groups and shared memory."""
    need(DiskBreakable)
    need(ClockSkewable)
    need(NamesBreakable)
    owner = subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert owner.stdout is not None
    place = Path(owner.stdout.readline().strip())
    laid = [Path(line) for line in (place / "outside").read_text().splitlines()]
    assert sorted(kind_of(path) for path in laid) == ["group", "memory", "memory", "mount"]
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    remove_place(place)
    assert not [path for path in laid if path in mounted() or path.exists()]


def kind_of(path: Path) -> str:
    """Return what is laid at a path."""
    if path in mounted():
        return "mount"
    return "group" if path.is_dir() else "memory"


async def _hold(folder: Path) -> None:
    """Have a stack up with everything laid, say where, and wait to be killed."""
    platform = LocalPlatform(folder, Recorder(), MonotonicClock(), {})
    await platform.up((view("clock", "disk", "names", replicas=1),))
    await Cpu().strike(platform, ("api-1",))
    print(platform.place, flush=True)
    await asyncio.sleep(60.0)


if __name__ == "__main__":
    asyncio.run(_hold(Path(sys.argv[1])))
