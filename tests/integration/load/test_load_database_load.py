"""The look into the database's own figures, on a real PostgreSQL: locks that wait, deadlocks, connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.events import Noted
from capsize.platforms.local import LocalPlatform
from capsize.probes.database_load import DatabaseLoadProbe
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]


@pytest.fixture
async def platform(tmp_path) -> AsyncIterator[LocalPlatform]:
    """A platform that runs nothing but PostgreSQL."""
    need_postgres()
    under = LocalPlatform(tmp_path / "logs", Recorder(), MonotonicClock(), {"witness_url": "http://w"})
    await under.up([POSTGRES])
    yield under
    await under.down()


async def lock(connection: asyncpg.Connection, key: int) -> None:
    """Take a lock until the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", key)


async def test_a_wait_and_a_deadlock_are_seen(platform, stage_at, running):
    """Two sessions that wait for each other: first the wait shows with its length, then the broken-up deadlock."""
    stage = stage_at("http://127.0.0.1:1")
    stage.platform = platform
    one, two = [await asyncpg.connect(platform.database_url, ssl=False) for _ in range(2)]
    try:
        async with running(DatabaseLoadProbe(interval_s=0.05).run(stage)):
            await stage.until(lambda events: any(look.values.get("connections", 0) >= 2 for look in events))
            assert stage.events[-1].values["waiting"] == 0
            for connection in (one, two):
                await connection.execute("BEGIN")
            await lock(one, 1)
            await lock(two, 2)
            waiting = asyncio.create_task(lock(one, 2))
            await stage.until(lambda events: any(look.values.get("lock_wait_s", 0) > 0.2 for look in events))
            seen = next(look.values for look in stage.events if look.values.get("lock_wait_s", 0) > 0.2)
            assert seen["waiting"] == 1
            assert seen["transaction_s"] >= seen["lock_wait_s"]
            for crossed in (lock(two, 1), waiting):
                with suppress(asyncpg.DeadlockDetectedError):
                    await crossed
            for connection in (one, two):
                with suppress(asyncpg.PostgresError):
                    await connection.execute("ROLLBACK")
            await stage.until(lambda events: any(look.values.get("deadlocks", 0) >= 1 for look in events))
    finally:
        one.terminate()
        two.terminate()
    last = stage.events[-1].values
    assert last["connections_allowed"] >= last["connections"]
    assert last["commits"] >= 1
    assert 0 < last["latency_s"] < 30


async def test_without_a_way_to_the_database_there_is_a_note(stage_at):
    """The probe says once what is not measured, and ends."""
    stage = stage_at("http://127.0.0.1:1")
    await DatabaseLoadProbe().run(stage)
    (note,) = stage.events
    assert isinstance(note, Noted)
    assert "no way to the database" in note.message
