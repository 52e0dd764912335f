"""Every fault on real processes: the effect that it claims, what it does with nothing to hit, and healing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import Missed
from capsize.core.events import InstanceChanged
from capsize.core.experiment import Spec
from capsize.core.platform import Instance
from capsize.core.protocols import Fault
from capsize.core.registry import make
from capsize.faults import FAULTS, Kill, Pause, Restart, Scale, Stop, Terminate, TerminateConnections
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.keeper import RestartPolicy
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder, api, worker
from support.waiting import until

BROKEN: dict[str, Fault] = {
    "kill": Kill(),
    "pause": Pause(),
    "restart": Restart(),
    "scale": Scale(to=1, back_to=2),
    "stop": Stop(),
    "terminate": Terminate(),
    "terminate_connections": TerminateConnections(),
}

ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)
"""What asyncpg raises on a connection that was ended; the third while it is still reading why."""


class Stack:
    """A local platform with database, API and two workers up."""

    def __init__(self, platform: LocalPlatform, record: Recorder) -> None:
        self.platform, self.record = platform, record

    def one(self, name: str) -> Instance:
        """Return an instance by name."""
        return next(i for i in self.platform.instances() if i.name == name)

    async def answers(self, name: str) -> bool:
        """Return whether a port accepts connections."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.one(name).port)
        except OSError:
            return False
        writer.close()
        return True

    async def fetch(self, name: str, limit_s: float = 5.0) -> bytes:
        """Return what the API answers within a limit; raises TimeoutError when it does not."""
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.one(name).port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            try:
                return (await reader.read()).split(b"\r\n\r\n")[1]
            finally:
                writer.close()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """The services, up; restarts are slow enough for an outage to be seen."""
    need_postgres()
    record = Recorder()
    platform = LocalPlatform(tmp_path, record, MonotonicClock(), {}, RestartPolicy(first_s=0.3))
    await platform.up((POSTGRES, api(), worker()))
    try:
        yield Stack(platform, record)
    finally:
        await platform.down()


def test_the_registry_makes_every_fault() -> None:
    """Each fault stands under its own name and can be made from a plan."""
    assert {name: fault.name for name, fault in FAULTS.items()} == {name: name for name in FAULTS}
    assert make(FAULTS, Spec(name="stop", args={"hard": True}), "fault") == Stop(hard=True)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_struck_for_real(name: str) -> None:
    """Some test on real processes makes the fault: here, or in the file of the part of the machine that it breaks."""
    texts = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    assert f"{FAULTS[name].__name__}(" in texts


async def test_kill_ends_all_victims_and_heal_waits_for_them(stack: Stack) -> None:
    """Both workers are gone by SIGKILL when the strike returns, and ready again after the healing."""
    before = {i.name: i.pid for i in stack.platform.instances("worker")}
    await Kill().strike(stack.platform, tuple(before))
    assert not any(psutil.pid_exists(pid) for pid in before.values() if pid)
    assert [stack.record.codes(name) for name in before] == [[-9], [-9]]
    await Kill().heal(stack.platform, tuple(before))
    assert all(i.ready and i.pid != before[i.name] for i in stack.platform.instances("worker"))


async def test_kill_of_postgres(stack: Stack) -> None:
    """The database's port refuses after the strike, and a query works after the healing."""
    await Kill().strike(stack.platform, ("postgres-1",))
    assert not await stack.answers("postgres-1")
    await Kill().heal(stack.platform, ("postgres-1",))
    assert await stack.platform.query("select 1 as one") == [{"one": 1}]


async def test_heal_starts_what_the_supervisor_gave_up(tmp_path: Path) -> None:
    """A victim that no restart brings back is started by the healing."""
    platform = LocalPlatform(tmp_path, Recorder(), MonotonicClock(), {})
    try:
        await platform.up((worker(restart=False),))
        await Kill().strike(platform, ("worker-1",))
        await until(lambda: platform.instances()[0].pid is None)
        await Kill().heal(platform, ("worker-1",))
        assert platform.instances()[0].ready
    finally:
        await platform.down()


async def test_terminate_lets_the_victim_end_by_itself(stack: Stack) -> None:
    """The victim ended with its own exit code, and the restart policy brought it back."""
    await Terminate().strike(stack.platform, ("api-1",))
    assert stack.record.codes("api-1") == [0]
    assert not await stack.answers("api-1")
    await Terminate().heal(stack.platform, ("api-1",))
    assert await stack.answers("api-1")


async def test_restart_is_down_until_it_is_healed(stack: Stack) -> None:
    """The victim is stopped in order, and back as another process without the restart policy's delay."""
    before = stack.one("api-1").pid
    await Restart().strike(stack.platform, ("api-1",))
    assert not await stack.answers("api-1")
    await Restart().heal(stack.platform, ("api-1",))
    assert await stack.fetch("api-1") != str(before).encode()
    assert [e.state for e in stack.record.changes("api-1")[2:]] == ["stopped", "starting", "ready"]


async def test_pause_keeps_the_connection_and_answers_later(stack: Stack) -> None:
    """A frozen API accepts and does not answer; the same request is answered when it goes on."""
    pid = stack.one("api-1").pid
    await Pause().strike(stack.platform, ("api-1",))
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    asking = asyncio.create_task(stack.fetch("api-1", limit_s=30.0))
    done, _ = await asyncio.wait({asking}, timeout=0.3)
    assert not done
    await Pause().heal(stack.platform, ("api-1",))
    assert await asking == str(pid).encode()


@pytest.mark.parametrize(("hard", "code"), [(False, 0), (True, -9)])
async def test_stop_of_postgres_holds_until_it_is_healed(stack: Stack, hard: bool, code: int) -> None:
    """The port refuses for as long as the strike is held, longer than any restart would take."""
    await Stop(hard=hard).strike(stack.platform, ("postgres-1",))
    for _ in range(5):
        assert not await stack.answers("postgres-1")
        await asyncio.sleep(0.1)
    assert stack.record.codes("postgres-1") == [code]
    await Stop(hard=hard).heal(stack.platform, ("postgres-1",))
    assert await stack.platform.query("select 1 as one") == [{"one": 1}]


async def test_scale_goes_there_and_back(stack: Stack) -> None:
    """Victims may be instances or the service; the way back needs no instance to be left."""
    for victims in (("worker-1", "worker-2"), ("worker",)):
        await Scale(to=0, back_to=2).strike(stack.platform, victims)
        assert stack.platform.instances("worker") == ()
        await Scale(to=0, back_to=2).heal(stack.platform, ("worker-1", "worker-2"))
        assert all(i.ready for i in stack.platform.instances("worker"))
    await Scale(to=3).strike(stack.platform, ("worker-2",))
    await Scale(to=3).heal(stack.platform, ("worker-2",))
    assert len(stack.platform.instances("worker")) == 3


async def test_terminate_connections_ends_the_service_s_and_not_ours(stack: Stack) -> None:
    """Every connection of the service is closed by the server; capsize's own stays, and new ones work."""
    ours = await stack.platform.query("select pg_backend_pid() as pid")
    clients = [await asyncpg.connect(stack.platform.database_url, ssl=False) for _ in range(3)]
    await TerminateConnections().strike(stack.platform, ("postgres-1",))
    for client in clients:
        with pytest.raises(ENDED):
            await client.fetch("select 1")
    assert await stack.platform.query("select pg_backend_pid() as pid") == ours
    again = await asyncpg.connect(stack.platform.database_url, ssl=False)
    assert await again.fetchval("select 1") == 1
    await again.close()


NOTHING: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "kill": (Kill(), ("worker-1",)),
    "pause": (Pause(), ("worker-1",)),
    "restart": (Restart(), ("worker-1",)),
    "stop": (Stop(), ("worker-1",)),
    "terminate": (Terminate(), ("worker-1",)),
    "scale": (Scale(to=2), ("worker-1",)),
    "terminate_connections": (TerminateConnections(), ("postgres-1",)),
    "kill of one that is no more": (Kill(), ("worker-9",)),
}


@pytest.mark.parametrize("case", NOTHING)
async def test_with_nothing_to_hit_it_misses(stack: Stack, case: str) -> None:
    """A strike on what is down already, or has that size, raises Missed and harms nothing else."""
    fault, victims = NOTHING[case]
    await stack.platform.stop("worker-1")
    seen = len(stack.record.events)
    with pytest.raises(Missed):
        await fault.strike(stack.platform, victims)
    assert [e for e in stack.record.events[seen:] if isinstance(e, InstanceChanged)] == []


@pytest.mark.parametrize("name", BROKEN)
async def test_heal_needs_no_strike_and_may_be_repeated(stack: Stack, name: str) -> None:
    """Healing what was never struck changes nothing; healing twice is as good as once."""
    fault = BROKEN[name]
    victims = ("postgres-1",) if name == "terminate_connections" else ("worker-1", "worker-2")
    before = stack.platform.instances()
    await fault.heal(stack.platform, victims)
    await fault.heal(stack.platform, (*victims, "worker-9"))
    assert stack.platform.instances() == before


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "terminate_connections"])
async def test_a_struck_instance_is_healed_twice(stack: Stack, name: str) -> None:
    """After a strike and two healings all is ready, in the same number as before."""
    fault: Any = BROKEN[name]
    await fault.strike(stack.platform, ("worker-1",))
    await fault.heal(stack.platform, ("worker-1",))
    await fault.heal(stack.platform, ("worker-1",))
    assert [i.name for i in stack.platform.instances("worker") if i.ready] == ["worker-1", "worker-2"]


async def test_one_miss_among_hits_still_lands(stack: Stack) -> None:
    """Of two victims one is down: the other one is struck, and the strike landed."""
    await stack.platform.stop("worker-1")
    await Kill().strike(stack.platform, ("worker-1", "worker-2"))
    assert stack.record.codes("worker-2") == [-9]
