"""The faults on the database, each on a real PostgreSQL: the effect that it claims, with nothing to hit, and healing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from capsize.core.clock import MonotonicClock
from capsize.core.errors import InjectionError, Missed, UsageError
from capsize.core.protocols import Fault
from capsize.faults import (
    CrashInCheckpoint,
    ExhaustConnections,
    LockTable,
    ReadOnly,
    RestartUnderLoad,
    SlowQueries,
    TerminateConnections,
)
from capsize.faults.database import end_clients
from capsize.platforms.local import LocalPlatform
from capsize.platforms.sessions import Sessions
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder, worker
from support.waiting import until

LIMIT_S = 30.0
DATABASE = ("postgres-1",)
OURS = "application_name like 'capsize/%'"
ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)

HELD: dict[str, Fault] = {
    "lock_table": LockTable(table="tasks"),
    "exhaust_connections": ExhaustConnections(),
    "read_only": ReadOnly(),
    "slow_queries": SlowQueries(delay_s=0.4),
}
"""What is held by sessions or settings until it is healed."""
ALL: dict[str, Fault] = HELD | {
    "crash_in_checkpoint": CrashInCheckpoint(),
    "restart_under_load": RestartUnderLoad(),
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalPlatform]:
    """A PostgreSQL of 40 connections and one worker, up once for this module."""
    need_postgres()
    made = LocalPlatform(tmp_path_factory.mktemp("logs"), Recorder(), MonotonicClock(), {})
    few = msgspec.structs.replace(POSTGRES, env={"max_connections": "40"})
    await made.up((few, worker(replicas=1)))
    try:
        yield made
    finally:
        await made.down()


@pytest_asyncio.fixture(loop_scope="module")
async def platform(shared: LocalPlatform) -> AsyncIterator[LocalPlatform]:
    """The same with two fresh tables of the service's; whatever a test left behind is cleared away."""
    service = await asyncpg.connect(shared.database_url, ssl=False)
    await service.execute("create table tasks (id int primary key, state text)")
    await service.execute("create table users (id int primary key)")
    await service.execute("insert into tasks values (1, 'new')")
    await service.close()
    try:
        yield shared
    finally:
        await shared.start("postgres-1")
        for fault in ALL.values():
            await fault.heal(shared, DATABASE)
        await shared.query("alter role app in database postgres reset all")
        await end_clients(shared)
        await shared.query("drop table if exists tasks, users")


@contextlib.asynccontextmanager
async def client(platform: LocalPlatform) -> AsyncIterator[Any]:
    """A connection as the service makes it."""
    connection = await asyncpg.connect(platform.database_url, ssl=False)
    try:
        yield connection
    finally:
        connection.terminate()


async def writes(platform: LocalPlatform) -> None:
    """Write to the table as the service would, on a connection of its own, within a limit."""
    async with asyncio.timeout(LIMIT_S), client(platform) as connection:
        assert await connection.execute("update tasks set state = 'seen' where id = 1") == "UPDATE 1"


async def sqlstate(call: Any) -> str:
    """Return with which SQLSTATE a call is refused."""
    with pytest.raises(asyncpg.PostgresError) as caught:
        await call
    return str(caught.value.sqlstate)


async def ours(platform: LocalPlatform) -> int:
    """Return how many sessions of faults there are."""
    rows = await platform.query(f"select count(*) as n from pg_stat_activity where {OURS}")
    return int(rows[0]["n"])


# ---------------------------------------------------------------- effects


async def test_a_locked_table_makes_its_users_wait_and_no_others(platform: LocalPlatform) -> None:
    """A statement on the table hangs until the healing and then goes through; other tables are free."""
    async with client(platform) as one, client(platform) as other:
        assert "tasks in access exclusive mode" in await LockTable(table="tasks").strike(platform, DATABASE)
        waiting = asyncio.create_task(one.fetchval("select state from tasks"))
        assert await other.fetch("select * from users") == []
        blocked = "select count(*) as n from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0"
        async with asyncio.timeout(LIMIT_S):
            while not (await platform.query(blocked))[0]["n"]:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        await LockTable(table="tasks").heal(platform, DATABASE)
        assert await asyncio.wait_for(waiting, LIMIT_S) == "new"


async def test_a_weaker_lock_lets_reading_through(platform: LocalPlatform) -> None:
    """In share mode a read passes and a write is refused a lock at once when it does not wait."""
    fault = LockTable(table="tasks", mode="share")
    async with client(platform) as service:
        await fault.strike(platform, DATABASE)
        assert await service.fetchval("select state from tasks") == "new"
        await service.execute("set lock_timeout = '50ms'")
        assert await sqlstate(service.execute("update tasks set state = 'x'")) == "55P03"
        await fault.heal(platform, DATABASE)
        await service.execute("update tasks set state = 'x'")


async def test_a_lock_that_is_not_to_be_had_is_a_failed_injection(platform: LocalPlatform) -> None:
    """The service's own transaction holds the table for longer than the fault waits: nothing is claimed."""
    fault = LockTable(table="tasks", wait_s=0.2)
    async with client(platform) as service:
        await service.execute("begin")
        await service.execute("update tasks set state = 'mine'")
        with pytest.raises(InjectionError, match=r"no answer within 0\.2 s"):
            await fault.strike(platform, DATABASE)
        await fault.heal(platform, DATABASE)
        await service.execute("commit")
    await writes(platform)


@pytest.mark.parametrize("evict", [True, False])
async def test_exhausted_connections_refuse_the_service_and_not_us(
    platform: LocalPlatform, evict: bool
) -> None:
    """A connection as the service's user gets 53300, the superuser still gets in; one that was there stays or goes."""
    fault = ExhaustConnections(evict=evict)
    async with client(platform) as before:
        told = await fault.strike(platform, DATABASE)
        assert await sqlstate(asyncpg.connect(platform.database_url, ssl=False)) == "53300"
        assert await platform.query("select 1 as one") == [{"one": 1}]
        if evict:
            with pytest.raises(ENDED):
                await before.fetch("select 1")
            assert "0 left to the service" in told
        else:
            assert await before.fetchval("select 1") == 1
            assert "1 left to the service" in told
        await fault.heal(platform, DATABASE)
    await writes(platform)


async def test_slots_are_taken_from_a_service_that_comes_back_at_once(platform: LocalPlatform) -> None:
    """Twelve clients that reconnect in a tight loop have no connection left when the strike returns."""
    over = asyncio.Event()
    refused: list[str] = []

    async def stubborn() -> None:
        while not over.is_set():
            try:
                async with client(platform) as connection:
                    while not over.is_set():
                        await connection.fetch("select pg_sleep(0.01)")
            except ENDED as error:
                refused.append(str(getattr(error, "sqlstate", "")))
                await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(stubborn())
        await asyncio.sleep(0.2)
        await ExhaustConnections().strike(platform, DATABASE)
        seen = len(refused)
        await until(lambda: len(refused) > seen + 20)
        assert set(refused[seen:]) == {"53300"}
        over.set()
    await ExhaustConnections().heal(platform, DATABASE)


async def test_read_only_refuses_writes_and_lets_reads_through(platform: LocalPlatform) -> None:
    """The old connection is ended; on a new one a read works and a write gets 25006."""
    async with client(platform) as before:
        assert "1 connections ended" in await ReadOnly().strike(platform, DATABASE)
        with pytest.raises(ENDED):
            await before.fetch("select 1")
    async with client(platform) as service:
        assert await service.fetchval("select state from tasks") == "new"
        assert await sqlstate(service.execute("update tasks set state = 'x'")) == "25006"
        await ReadOnly().heal(platform, DATABASE)
        with pytest.raises(ENDED):
            await service.fetch("select 1")
    await writes(platform)


async def test_a_lingering_connection_stays_read_only(platform: LocalPlatform) -> None:
    """With ``linger`` the healing leaves the connection as it is: only a new one can write."""
    fault = ReadOnly(linger=True)
    await fault.strike(platform, DATABASE)
    async with client(platform) as kept:
        await fault.heal(platform, DATABASE)
        assert await sqlstate(kept.execute("update tasks set state = 'x'")) == "25006"
    await writes(platform)


async def test_slow_queries_wait_and_come_through(platform: LocalPlatform) -> None:
    """Statements take a part of the delay, all succeed, and nothing is slow after the healing."""
    fault = SlowQueries(delay_s=0.4, tables=("tasks",))
    loop = asyncio.get_running_loop()

    async def taken(connection: Any, count: int) -> list[float]:
        found = []
        for _ in range(count):
            began = loop.time()
            assert await connection.execute("update tasks set state = 'x'") == "UPDATE 1"
            found.append(loop.time() - began)
        return found

    async with client(platform) as service:
        quick = max(await taken(service, 5))
        await fault.strike(platform, DATABASE)
        # Each one begins when the one before is through, so right after the lock was taken again.
        slow = await taken(service, 4)
        await fault.heal(platform, DATABASE)
        assert sum(slow) > 0.6 > quick * 3
        assert max(await taken(service, 5)) < 0.4


async def test_a_crash_in_a_checkpoint_keeps_what_was_committed(platform: LocalPlatform) -> None:
    """The server recovers by itself: its log says that it was interrupted, and every committed row is there."""
    async with client(platform) as service:
        await service.execute("insert into tasks select i, 'kept' from generate_series(2, 5000) i")
    before = platform.instances("postgres")[0].pid
    assert "between two writes" in await CrashInCheckpoint().strike(platform, DATABASE)
    await CrashInCheckpoint().heal(platform, DATABASE)
    assert platform.instances("postgres")[0].pid != before
    assert (await platform.query("select count(*) as n from tasks"))[0]["n"] == 5000
    assert (await platform.query("select count(*) as n from pg_class where relname like 'capsize%'"))[0][
        "n"
    ] == 0


async def test_a_restart_under_load_cuts_statements_in_the_middle(platform: LocalPlatform) -> None:
    """Two statements that are under way are cut off, and the server is back after the healing."""
    fault = RestartUnderLoad(statements=2)

    async def working() -> None:
        async with client(platform) as connection:
            while True:
                await connection.execute("update tasks set state = 'x'")

    workers = [asyncio.create_task(working()) for _ in range(2)]
    assert "2 statements were running" in await fault.strike(platform, DATABASE)
    for one in workers:
        # The second when the driver finds the connection closed before it has read why.
        assert await sqlstate(asyncio.wait_for(one, LIMIT_S)) in ("57P01", "08003")
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(platform.database_url, ssl=False)
    await fault.heal(platform, DATABASE)
    await writes(platform)


# ---------------------------------------------------------------- nothing to hit


async def test_a_restart_without_load_is_a_miss(platform: LocalPlatform) -> None:
    """Nobody uses the database: it is not shut down, and nothing stays locked after the healing."""
    fault, before = RestartUnderLoad(wait_s=0.2), platform.instances()
    with pytest.raises(Missed, match="0 statements"):
        await fault.strike(platform, DATABASE)
    await fault.heal(platform, DATABASE)
    assert platform.instances() == before
    await writes(platform)


async def test_a_table_that_is_not_there_is_a_usage_error(platform: LocalPlatform) -> None:
    """The message names the tables that there are, and nothing was locked."""
    for fault in (LockTable(table="task"), SlowQueries(tables=("task",))):
        with pytest.raises(UsageError, match=r"no table 'task'\. Known: tasks, users"):
            await fault.strike(platform, DATABASE)
    assert await ours(platform) == 0


async def test_slow_queries_without_a_table_miss(platform: LocalPlatform) -> None:
    """There is nothing that could be slow."""
    await platform.query("drop table tasks, users")
    with pytest.raises(Missed):
        await SlowQueries().strike(platform, DATABASE)


async def test_a_user_that_could_only_read_before_is_left_so(platform: LocalPlatform) -> None:
    """A setting that was there before is a miss, and the healing does not take it away."""
    await platform.query("alter role app in database postgres set default_transaction_read_only = on")
    with pytest.raises(Missed, match="could not write before"):
        await ReadOnly().strike(platform, DATABASE)
    await ReadOnly().heal(platform, DATABASE)
    async with client(platform) as service:
        assert await service.fetchval("show default_transaction_read_only") == "on"


async def test_a_full_database_is_a_miss(platform: LocalPlatform) -> None:
    """All connections are somebody else's: there is nothing to take, and they keep them."""
    async with contextlib.AsyncExitStack() as taken:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                last = await taken.enter_async_context(client(platform))
        with pytest.raises(Missed, match="taken already"):
            await ExhaustConnections().strike(platform, DATABASE)
        assert await last.fetchval("select 1") == 1


@pytest.mark.parametrize("name", ["crash_in_checkpoint", "restart_under_load"])
async def test_a_database_that_is_down_is_a_miss(platform: LocalPlatform, name: str) -> None:
    """Nothing is left to be crashed or restarted."""
    await platform.stop("postgres-1")
    with pytest.raises(Missed):
        await ALL[name].strike(platform, DATABASE)


@pytest.mark.parametrize("name", ["crash_in_checkpoint", "restart_under_load"])
async def test_what_is_no_database_is_not_hit(platform: LocalPlatform, name: str) -> None:
    """Aimed at a worker, the fault says whom it is for and harms nobody."""
    before = platform.instances()
    with pytest.raises(UsageError, match="worker-1 is not the database; this fault is for postgres-1"):
        await ALL[name].strike(platform, ("worker-1",))
    assert platform.instances() == before


# ---------------------------------------------------------------- healing


async def test_healing_needs_no_strike_and_leaves_others_alone(platform: LocalPlatform) -> None:
    """Healing what was never struck, twice, ends no connection and restarts nothing."""
    async with client(platform) as service:
        before = platform.instances()
        for fault in [*ALL.values()] * 2:
            await fault.heal(platform, DATABASE)
        assert await service.fetchval("select 1") == 1
        assert platform.instances() == before


async def test_it_is_healed_although_its_own_connections_died(platform: LocalPlatform) -> None:
    """Somebody ends every session of capsize's; the healing still works, and twice."""
    for fault in HELD.values():
        await fault.strike(platform, DATABASE)
        await platform.query(f"select pg_terminate_backend(pid) from pg_stat_activity where {OURS}")
        await fault.heal(platform, DATABASE)
        await fault.heal(platform, DATABASE)
        assert await ours(platform) == 0
        await writes(platform)


async def test_it_is_healed_by_another_process(platform: LocalPlatform) -> None:
    """A platform that knows nothing of the strike heals it: nothing is remembered but by the server."""
    base = platform._postgres
    assert base is not None
    for fault in HELD.values():
        await fault.strike(platform, DATABASE)
        before = platform._sessions
        platform._sessions = Sessions(base.super_url, base.url, platform.query)
        await fault.heal(platform, DATABASE)
        assert await ours(platform) == 0
        await writes(platform)
        assert before is not None
        before.drop()


async def test_it_is_healed_while_the_database_restarts(platform: LocalPlatform) -> None:
    """The server is killed under the faults: the healing waits for it to be back, and nothing is left."""
    held = [HELD[name] for name in ("read_only", "lock_table", "exhaust_connections")]
    for fault in held:
        await fault.strike(platform, DATABASE)
    await platform.kill("postgres-1")
    for fault in held:
        await fault.heal(platform, DATABASE)
    await until(lambda: platform.instances("postgres")[0].ready)
    await writes(platform)
    assert await ours(platform) == 0


async def test_the_owner_s_death_frees_what_it_held(platform: LocalPlatform) -> None:
    """Its sockets are closed as the kernel closes a dead process', nobody says a word, and the server lets go."""
    for name in ("lock_table", "slow_queries", "exhaust_connections"):
        await HELD[name].strike(platform, DATABASE)
        assert platform._sessions is not None
        for sessions in platform._sessions._open.values():
            for session in sessions:
                session._connection._transport.abort()
        async with asyncio.timeout(LIMIT_S):
            while await ours(platform):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        await writes(platform)


async def test_cutting_the_service_off_leaves_our_lock_alone(platform: LocalPlatform) -> None:
    """Two faults at once: ending the service's connections does not end the session that holds the lock."""
    async with client(platform):
        await LockTable(table="tasks").strike(platform, DATABASE)
        await TerminateConnections().strike(platform, DATABASE)
        assert await ours(platform) == 1
    await LockTable(table="tasks").heal(platform, DATABASE)
