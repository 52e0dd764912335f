"""The pool and the workers through outages of PostgreSQL: killed, frozen, connections cut."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest
from starter_helpers import WorkerProcess, delay, status_is, until
from starter_postgres import Postgres

from capsize_starter.db import Database, Listener, Unavailable, allowance
from capsize_starter.queue import Queue
from capsize_starter.settings import DatabaseSettings
from conftest import prepare

StartWorker = Callable[..., WorkerProcess]


async def answers(database: Database) -> bool:
    try:
        return bool(await database.fetchval("SELECT 1") == 1)
    except Unavailable:
        return False


async def test_the_pool_outlives_a_killed_server(own_server: Postgres) -> None:
    """After SIGKILL every call says Unavailable; after the restart every call works, more of them than connections."""
    database = Database(DatabaseSettings(url=own_server.url, db_pool_size=3))
    await asyncio.gather(*(database.execute("SELECT pg_sleep(0.05)") for _ in range(6)))
    own_server.kill()
    for _ in range(5):
        with pytest.raises(Unavailable):
            await database.fetchval("SELECT 1")
    await asyncio.to_thread(own_server.start)
    await until(lambda: answers(database), why="the server is back")
    assert await asyncio.gather(*(answers(database) for _ in range(12))) == [True] * 12
    await database.close()


async def test_a_frozen_server_is_given_up_in_time(own_server: Postgres) -> None:
    """Every one of twelve callers is told within its limit, though the server never closes a connection."""
    database = Database(DatabaseSettings(url=own_server.url, db_pool_size=4, db_timeout_s=1.0))
    assert await asyncio.gather(*(answers(database) for _ in range(4))) == [True] * 4
    own_server.signal(signal.SIGSTOP)
    for _ in range(2):
        began = time.monotonic()
        assert await asyncio.gather(*(answers(database) for _ in range(12))) == [False] * 12
        # The limit is 1 s; the rest is for a busy machine. A graceful close would hang for ever.
        assert time.monotonic() - began < 5
    own_server.signal(signal.SIGCONT)
    await until(lambda: answers(database), why="the thawed server answers")
    await database.close()


async def test_a_transaction_on_a_frozen_server_is_given_up_too(own_server: Postgres) -> None:
    """Leaving the block sends no ROLLBACK that would wait, and the connection is not used again."""
    database = Database(DatabaseSettings(url=own_server.url, db_pool_size=1, db_timeout_s=0.5))
    began = time.monotonic()

    async def freeze_inside() -> None:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE left_behind ()")
            own_server.signal(signal.SIGSTOP)
            await connection.execute("SELECT 1")

    with pytest.raises(Unavailable):
        await freeze_inside()
    assert time.monotonic() - began < 5
    own_server.signal(signal.SIGCONT)
    await until(lambda: answers(database), why="the thawed server answers")
    assert await database.fetchval("SELECT to_regclass('left_behind')") is None
    await database.close()


async def test_cut_connections_are_replaced(own_server: Postgres) -> None:
    """Connections that the server ended while idle are not handed out again."""
    database = Database(DatabaseSettings(url=own_server.url, db_pool_size=4))
    other = Database(DatabaseSettings(url=own_server.url, db_pool_size=1))
    await asyncio.gather(*(database.execute("SELECT pg_sleep(0.05)") for _ in range(4)))
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
    assert await other.fetchval(cut) == 4
    await until(lambda: answers(database), why="a new connection")
    assert await asyncio.gather(*(answers(database) for _ in range(8))) == [True] * 8
    await database.close()
    await other.close()


async def test_an_error_of_a_statement_keeps_the_connection(own_server: Postgres) -> None:
    """A refused statement is the caller's fault: the same session goes on, rolled back."""
    database = Database(DatabaseSettings(url=own_server.url, db_pool_size=1))
    pid = await database.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(Exception, match="division by zero"):
        async with database.transaction() as connection:
            await connection.execute("SELECT 1/0")
    assert await database.fetchval("SELECT pg_backend_pid()") == pid
    await database.close()


async def test_the_listener_comes_back(own_server: Postgres) -> None:
    """Notifications arrive before and after the server was killed; each connection is announced."""
    database = Database(DatabaseSettings(url=own_server.url))
    heard: list[str] = []
    connected: list[bool] = []
    listener = Listener(
        database, ["ch"], lambda _channel, text: heard.append(text), lambda: connected.append(True)
    )
    task = asyncio.create_task(listener.run())
    await until(lambda: len(connected) == 1, why="connected")
    await database.execute("SELECT pg_notify('ch', 'one')")
    await until(lambda: heard == ["one"], why="heard")
    own_server.kill()
    await asyncio.to_thread(own_server.start)
    await until(lambda: len(connected) == 2, why="connected again")
    await until(lambda: answers(database), why="the pool is back")
    await database.execute("SELECT pg_notify('ch', 'two')")
    await until(lambda: heard == ["one", "two"], why="heard again")
    task.cancel()
    await database.close()


@pytest.mark.parametrize("harm", ["kill", "freeze", "cut"])
async def test_a_worker_goes_on_after_an_outage(own_server: Postgres, worker: StartWorker, harm: str) -> None:
    """Whatever happened to the server, the worker is the same process and does the tasks that wait and that come."""
    await prepare(own_server.url)
    database = Database(DatabaseSettings(url=own_server.url))
    queue = Queue(database)
    process = await worker(own_server.url, STARTER_LEASE_S="2").ready()
    running = (await queue.enqueue(delay(4 if harm == "freeze" else 1))).task
    waiting = (await queue.enqueue(delay(0))).task
    await status_is(queue, running.id, "running")
    match harm:
        case "kill":
            own_server.kill()
            await asyncio.to_thread(own_server.start)
        case "freeze":
            own_server.signal(signal.SIGSTOP)
            await until(lambda: process.events("heartbeat.failed"), why="the worker notices")
            await until(lambda: process.events("run.abandoned"), why="the lease is over")
            own_server.signal(signal.SIGCONT)
        case "cut":
            await database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
            )
    await until(lambda: answers(database), why="the server is back")
    for task in (running, waiting):
        await status_is(queue, task.id, "completed")
    later = (await queue.enqueue(delay(0))).task
    await status_is(queue, later.id, "completed")
    assert process.process.poll() is None
    await database.close()


async def test_what_was_done_before_an_outage_is_recorded_after_it(
    own_server: Postgres, worker: StartWorker
) -> None:
    """A handler that ended while the server was frozen is not run again, though its lease is long over by then."""
    await prepare(own_server.url)
    database = Database(DatabaseSettings(url=own_server.url))
    queue = Queue(database)
    process = await worker(own_server.url, STARTER_LEASE_S="2").ready()
    task = (await queue.enqueue(delay(0.5))).task
    await status_is(queue, task.id, "running")
    own_server.signal(signal.SIGSTOP)
    await until(lambda: len(process.events("heartbeat.failed")) >= 3, why="the outage outlasts the lease")
    own_server.signal(signal.SIGCONT)
    await until(lambda: answers(database), why="the server is back")
    done = await status_is(queue, task.id, "completed")
    assert (done.losses, done.attempts) == (0, 0)
    assert await database.fetchval("SELECT runs FROM tasks") == 1
    await database.close()


async def test_a_worker_may_start_before_the_database(own_server: Postgres, worker: StartWorker) -> None:
    """It waits without ending and is ready once the server is there and migrated."""
    own_server.kill()
    process = worker(own_server.url)
    await until(lambda: process.events("claim.waiting"), why="it waits")
    await asyncio.to_thread(own_server.start)
    await until(lambda: process.events("claim.failed"), why="it reports the missing tables")
    assert not process.events("worker.ready")
    await prepare(own_server.url)
    await process.ready()


async def test_a_callers_statements_share_an_allowance(url: str) -> None:
    """Each is within its own limit, and the third of them is not waited for; outside of the block nothing is short."""
    database = Database(DatabaseSettings(url=url, db_timeout_s=20.0))
    await database.fetchval("SELECT 1")
    with allowance(0.5):
        await database.execute("SELECT pg_sleep(0.2)")
        # What passes between two statements is the caller's own time.
        await asyncio.sleep(0.5)
        with pytest.raises(Unavailable):
            await database.execute("SELECT pg_sleep(10)")
        with pytest.raises(Unavailable):
            await database.fetchval("SELECT 1")
    await database.execute("SELECT pg_sleep(0.6)")
    await database.close()


async def test_nobody_begins_who_can_not_finish(url: str) -> None:
    """Behind a slow caller the others are refused while they only wait, and the connection is still there for the next."""
    database = Database(DatabaseSettings(url=url, db_pool_size=1, db_timeout_s=20.0))
    server = await database.fetchval("SELECT pg_backend_pid()")
    slow = asyncio.create_task(database.execute("SELECT pg_sleep(0.8)"))
    await until(lambda: _is_used(database), why="the slow one has the connection")
    refused = await asyncio.gather(
        *(database.execute("SELECT pg_sleep(0.5)", timeout_s=1.0) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in refused)
    await slow
    assert await database.fetchval("SELECT pg_backend_pid()") == server
    await database.close()


async def _is_used(database: Database) -> bool:
    return database.usage().used == 1
