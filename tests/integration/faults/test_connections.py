"""The faults on connections, on a real PostgreSQL behind a real proxy: what each does, to whom, and that it is undone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from capsize.core.clock import MonotonicClock
from capsize.core.errors import HealError, InjectionError, Missed
from capsize.core.experiment import Link
from capsize.faults import (
    FAULTS,
    Bandwidth,
    KillPoint,
    Latency,
    LostReply,
    LostStatement,
    PacketLoss,
    Partition,
    Reset,
    SlowStatement,
    SqlError,
)
from capsize.faults.connections import OnConnections
from capsize.platforms.local import LocalPlatform
from capsize.platforms.local.keeper import RestartPolicy
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder, api, worker

LINKS = (Link(source="worker", target="postgres"), Link(source="client", target="api"))
LOST = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, ConnectionError)
LIMIT_S = 20.0
pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST, SECOND = ("worker-1",), ("worker-2",)
BYTES = (
    Latency(latency_ms=200),
    PacketLoss(probability=1.0, hold_s=0.2),
    Bandwidth(rate_kb=1),
    Partition(),
    Reset(),
)


class Stack:
    """Database, API and two workers; the test speaks to the database in the workers' place."""

    def __init__(self, platform: LocalPlatform) -> None:
        self.platform = platform

    async def connect(self, instance: str) -> asyncpg.Connection:
        """Connect through the proxy of an instance."""
        shown = await self.platform.proxy("GET", f"/proxies/{instance}>postgres-1")
        host, _, port = shown["listen"].rpartition(":")
        user = self.platform.database_url.partition("//")[2].partition("@")[0]
        return await asyncpg.connect(f"postgresql://{user}@{host}:{port}/postgres", timeout=LIMIT_S)

    async def left(self) -> list[str]:
        """Return what still hangs on the proxies."""
        shown = await self.platform.proxy("GET", "/proxies")
        return [one["name"] for proxy in shown.values() for one in (*proxy["toxics"], *proxy["rules"])]


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[Stack]:
    """The services, up, with a proxy before the database for each worker, and one before the API."""
    need_postgres()
    platform = LocalPlatform(
        folder, Recorder(), MonotonicClock(), {}, RestartPolicy(first_s=0.3), links=LINKS, seed=1
    )
    await platform.up((POSTGRES, api(), worker()))
    await platform.query("CREATE TABLE things (id integer)")
    await platform.query("GRANT ALL ON things TO PUBLIC")
    try:
        yield Stack(platform)
    finally:
        await platform.down()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One stack for all tests that leave it as it was."""
    async with up(tmp_path_factory.mktemp("stack")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def stack(shared: Stack) -> Stack:
    """The shared stack, with an empty table."""
    await shared.platform.query("DELETE FROM things")
    return shared


async def talking(connection: asyncpg.Connection) -> None:
    """Make traffic until the connection ends or nothing comes back."""
    while True:
        try:
            await connection.fetchval("SELECT 1")
        except (*LOST, TimeoutError):
            return
        await asyncio.sleep(0.01)


async def test_the_routes_are_those_that_were_asked_for(tmp_path: Path) -> None:
    """One for each worker, one for clients; new workers get theirs, and the proxy ends with the stack."""
    async with up(tmp_path) as stack:
        names = [route.name for route in stack.platform.routes()]
        assert names == ["client>api-1", "worker-1>postgres-1", "worker-2>postgres-1"]
        await stack.platform.scale("worker", 3)
        assert "worker-3>postgres-1" in [route.name for route in stack.platform.routes()]
        assert stack.platform.api_url != f"http://127.0.0.1:{stack.platform.instances('api')[0].port}"
        process = proxy_of(tmp_path)
        assert process is not None
    assert not process.is_running()


def proxy_of(folder: Path) -> psutil.Process | None:
    """Return the proxy whose log is in a folder."""
    log = folder / "proxy.log"
    found = (one for one in psutil.Process().children() if "capsize.proxy" in " ".join(one.cmdline()))
    return next(
        (one for one in found if os.path.samestat(os.stat(f"/proc/{one.pid}/fd/2"), log.stat())), None
    )


async def test_without_links_there_is_no_proxy(tmp_path: Path) -> None:
    """Nobody pays for what was not asked for."""
    platform = LocalPlatform(tmp_path, Recorder(), MonotonicClock(), {})
    await platform.up((worker(),))
    try:
        assert platform.routes() == ()
        assert not (tmp_path / "proxy.log").exists()
        with pytest.raises(InjectionError, match="no proxy runs"):
            await platform.proxy("GET", "/proxies")
        with pytest.raises(InjectionError, match="has to name that link"):
            await Latency().strike(platform, FIRST)
        await Latency().heal(platform, FIRST)
    finally:
        await platform.down()


async def test_bytes_of_the_victim_are_disturbed_and_of_nobody_else(stack: Stack) -> None:
    """Each of the faults: its connection is slow, still or gone; its neighbour's is as before; healed twice, nothing is left."""
    for fault in BYTES:
        struck, spared = await stack.connect("worker-1"), await stack.connect("worker-2")
        traffic = asyncio.create_task(talking(struck))
        told = await fault.strike(stack.platform, FIRST)
        assert told == "proxy on worker-1>postgres-1", fault.name
        effect = await fault.effect(stack.platform, FIRST)
        assert (effect.links, effect.mechanism) == (("worker-1>postgres-1",), "proxy")
        assert effect.hits, fault.name
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)
        assert await spared.fetchval("SELECT 1", timeout=LIMIT_S) == 1
        assert (await fault.effect(stack.platform, SECOND)).hits == 0
        await fault.heal(stack.platform, FIRST)
        await fault.heal(stack.platform, FIRST)
        assert await stack.left() == []
        fresh = await stack.connect("worker-1")
        assert await fresh.fetchval("SELECT 1", timeout=LIMIT_S) == 1, fault.name
        for connection in (struck, spared, fresh):
            connection.terminate()


async def test_latency_makes_round_trips_longer(stack: Stack) -> None:
    """By at least what was asked for; the one after the healing is quick again."""
    connection = await stack.connect("worker-1")
    waiting = asyncio.create_task(Latency(latency_ms=300).strike(stack.platform, FIRST))
    while not waiting.done():
        await connection.fetchval("SELECT 1")
    began = time.monotonic()
    await connection.fetchval("SELECT 1")
    assert time.monotonic() - began >= 0.3
    await Latency(latency_ms=300).heal(stack.platform, FIRST)
    connection.terminate()


async def test_a_partition_has_directions(stack: Stack) -> None:
    """Cut on the way in, the statement is carried out and not answered; cut on the way out, it does not arrive."""
    for fault, arrives in ((Partition(cut="in"), 1), (Partition(cut="out"), 0), (Partition(), 0)):
        await stack.platform.query("DELETE FROM things")
        connection = await stack.connect("worker-1")
        waiting = asyncio.create_task(fault.strike(stack.platform, FIRST))
        await until_listed(stack)
        insert = asyncio.create_task(connection.execute("INSERT INTO things VALUES (1)"))
        await waiting
        await seen(stack, arrives)
        assert not insert.done()
        await fault.heal(stack.platform, FIRST)
        await asyncio.wait_for(insert, LIMIT_S)
        await seen(stack, 1)
        connection.terminate()


async def until_listed(stack: Stack) -> None:
    """Wait until something hangs on a proxy."""
    async with asyncio.timeout(LIMIT_S):
        while not await stack.left():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def seen(stack: Stack, rows: int) -> None:
    """Wait until the table has so many rows."""
    async with asyncio.timeout(LIMIT_S):
        while len(await stack.platform.query("SELECT * FROM things")) != rows:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_passes_nothing_is_missed(stack: Stack) -> None:
    """On silent connections a fault says that it met nothing, and can be taken off."""
    for fault in (Latency(wait_s=0.2), LostReply(statement="COMMIT", wait_s=0.2)):
        with pytest.raises(Missed, match="passed within"):
            await fault.strike(stack.platform, FIRST)
        await fault.heal(stack.platform, FIRST)
    assert await stack.left() == []


async def test_victims_can_be_at_either_end(stack: Stack) -> None:
    """The database is struck where the workers reach it, the API where clients do."""
    connection = await stack.connect("worker-2")
    traffic = asyncio.create_task(talking(connection))
    fault = Latency(peer="worker", latency_ms=50)
    await fault.strike(stack.platform, ("postgres-1",))
    assert len((await fault.effect(stack.platform, ("postgres-1",))).links) == 2
    await fault.heal(stack.platform, ("postgres-1",))
    traffic.cancel()
    await asyncio.gather(traffic, return_exceptions=True)
    connection.terminate()
    calls = Latency(peer="client", latency_ms=50)
    asked = asyncio.create_task(calls.strike(stack.platform, ("api-1",)))
    await until_listed(stack)
    host, _, port = stack.platform.api_url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert await reader.read()
    writer.close()
    await asked
    await calls.heal(stack.platform, ("api-1",))


async def test_lost_replies_and_lost_statements(stack: Stack) -> None:
    """In doubt either way for the client: the one was carried out, the other was not; only the first is struck."""
    for fault, rows in ((LostReply(statement="^INSERT"), 1), (LostStatement(statement="^INSERT"), 1)):
        connection = await stack.connect("worker-1")
        waiting = asyncio.create_task(fault.strike(stack.platform, FIRST))
        await until_listed(stack)
        with pytest.raises(LOST):
            await connection.execute("INSERT INTO things VALUES (1)")
        await waiting
        await seen(stack, rows)
        await fault.heal(stack.platform, FIRST)
        connection.terminate()
    assert await stack.left() == []


async def test_the_commit_of_one_kind_of_transaction(stack: Stack) -> None:
    """Another transaction's COMMIT, and the same statement alone, pass; the right one's answer is lost."""
    fault = LostReply(statement="^COMMIT", transaction="INSERT INTO things VALUES \\(7\\)")
    other = LostReply(statement="VALUES \\(8\\)", alone=True, wait_s=0.5)
    connection = await stack.connect("worker-1")
    waiting = asyncio.create_task(fault.strike(stack.platform, FIRST))
    await until_listed(stack)
    async with connection.transaction():
        await connection.execute("INSERT INTO things VALUES (1)")
    await connection.execute("INSERT INTO things VALUES (7)")
    assert not waiting.done()
    with pytest.raises(LOST):
        async with connection.transaction():
            await connection.execute("INSERT INTO things VALUES (7)")
    await waiting
    await seen(stack, 3)
    await fault.heal(stack.platform, FIRST)
    connection = await stack.connect("worker-1")
    inside = asyncio.create_task(other.strike(stack.platform, FIRST))
    await until_listed(stack)
    async with connection.transaction():
        await connection.execute("INSERT INTO things VALUES (8)")
    with pytest.raises(Missed):
        await inside
    await other.heal(stack.platform, FIRST)
    connection.terminate()


async def test_errors_and_delays_of_statements(stack: Stack) -> None:
    """The code comes and nothing was done; the delay passes and it was."""
    connection = await stack.connect("worker-1")
    refused = SqlError(statement="^INSERT", sqlstate="40001")
    waiting = asyncio.create_task(refused.strike(stack.platform, FIRST))
    await until_listed(stack)
    with pytest.raises(asyncpg.SerializationError):
        await connection.execute("INSERT INTO things VALUES (1)")
    await waiting
    await refused.heal(stack.platform, FIRST)
    slow = SlowStatement(statement="^INSERT", delay_s=0.3)
    waiting = asyncio.create_task(slow.strike(stack.platform, FIRST))
    await until_listed(stack)
    began = time.monotonic()
    await connection.execute("INSERT INTO things VALUES (2)")
    assert time.monotonic() - began >= 0.3
    await waiting
    await slow.heal(stack.platform, FIRST)
    await seen(stack, 1)
    connection.terminate()


async def test_a_kill_point_is_between_effect_and_acknowledgement(stack: Stack) -> None:
    """The statement was carried out, who sent it is dead, and the healing waits for its return."""
    before = {one.name: one.pid for one in stack.platform.instances("worker")}
    fault = KillPoint(statement="^INSERT")
    connection = await stack.connect("worker-1")
    waiting = asyncio.create_task(fault.strike(stack.platform, FIRST))
    await until_listed(stack)
    insert = asyncio.create_task(connection.execute("INSERT INTO things VALUES (1)"))
    assert "killed worker-1 after" in await waiting
    assert before["worker-1"] is not None
    assert not psutil.pid_exists(before["worker-1"])
    await seen(stack, 1)
    await fault.heal(stack.platform, FIRST)
    after = {one.name: one for one in stack.platform.instances("worker")}
    assert after["worker-1"].ready
    assert after["worker-1"].pid != before["worker-1"]
    assert after["worker-2"].pid == before["worker-2"]
    await asyncio.wait_for(insert, LIMIT_S)
    connection.terminate()
    missed = KillPoint(statement="^INSERT", wait_s=0.2)
    with pytest.raises(Missed, match="nobody sent"):
        await missed.strike(stack.platform, SECOND)
    await missed.heal(stack.platform, SECOND)
    assert await stack.left() == []


async def test_a_proxy_that_died_is_said(tmp_path: Path) -> None:
    """What hung on it is gone with it, but the connections are too: the healing fails loudly."""
    async with up(tmp_path) as stack:
        connection = await stack.connect("worker-1")
        traffic = asyncio.create_task(talking(connection))
        await Latency(latency_ms=10).strike(stack.platform, FIRST)
        process = proxy_of(tmp_path)
        assert process is not None
        process.kill()
        await traffic
        with pytest.raises(HealError, match="not taken off"):
            await Latency(latency_ms=10).heal(stack.platform, FIRST)
        connection.terminate()


async def test_every_fault_on_connections_is_tested_here() -> None:
    """None is forgotten."""
    statements = {"lost_reply", "lost_statement", "sql_error", "slow_statement", "kill_point"}
    known = {name for name, fault in FAULTS.items() if issubclass(fault, OnConnections)}
    assert known == {fault.name for fault in BYTES} | statements
