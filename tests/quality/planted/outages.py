"""Defects that show when the database or the API goes away."""

from __future__ import annotations

import asyncio
from typing import Any

from quality.planted.model import Hunt, defects


def pool_never_reconnects() -> None:
    """A connection that died is handed out for ever after."""
    from capsize_starter.db import pool

    def keep(self: Any, connection: Any, *, drop: bool = False) -> None:
        self._used.discard(connection)
        self._permits.release()
        self._idle.append(connection)

    async def acquire(self: Any) -> Any:
        await self._permits.acquire()
        try:
            connection = self._idle.pop() if self._idle else await self.connect()
        except BaseException:
            self._permits.release()
            raise
        self._used.add(connection)
        return connection

    pool.Database.release = keep  # type: ignore[method-assign]
    pool.Database.acquire = acquire  # type: ignore[method-assign]


def health_always_ok() -> None:
    """The health check answers from the process alone and never asks the database."""
    from capsize_starter.api import health

    async def fine(services: Any) -> Any:
        return health.OK

    health.ping = fine
    health.readiness = fine


def hangs_without_database() -> None:
    """Requests wait for the database without a limit: the API hangs for as long as it is away."""
    from capsize_starter.db import pool

    connect, session = pool.Database.connect, pool.Database.session

    async def connect_at_last(self: Any) -> Any:
        while True:
            try:
                return await connect(self)
            except pool.Unavailable:
                await asyncio.sleep(0.1)

    pool.Database.connect = connect_at_last  # type: ignore[method-assign]
    pool.Database.session = lambda self, timeout_s=None: session(self, 3600.0)  # type: ignore[method-assign, assignment, misc]


def pool_exhausted_by_slow_database() -> None:
    """One connection for everything, held through slow statements: whoever comes next waits behind them."""
    from contextlib import asynccontextmanager

    from capsize_starter.db import pool

    session = pool.Database.session
    gate = asyncio.Lock()

    @asynccontextmanager
    async def one_at_a_time(self: Any, timeout_s: float | None = None) -> Any:
        async with gate, session(self, timeout_s) as connection:
            await asyncio.sleep(0.15)
            yield connection

    pool.Database.session = one_at_a_time  # type: ignore[method-assign]


def health_flaps() -> None:
    """The health check fails for a moment every few seconds, though nothing is wrong."""
    import time

    from capsize_starter.api import health

    born = time.monotonic()

    def flapping(look: Any) -> Any:
        async def answer(services: Any) -> Any:
            age = time.monotonic() - born
            return health.AWAY if age > 4.0 and age % 3.0 < 0.4 else await look(services)

        return answer

    health.ping = flapping(health.ping)
    health.readiness = flapping(health.readiness)


DEFECTS = defects(
    (pool_exhausted_by_slow_database, Hunt("task-flood", level=1, overrides={"tasks": 480}), {"acceptance"}),
    (health_flaps, Hunt("worker-restart", level=1), {"flapping"}),
    (pool_never_reconnects, Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}), {"recovery"}),
    (
        health_always_ok,
        Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}),
        {"truthful_health"},
    ),
    (
        hangs_without_database,
        Hunt("db-failure", level=1, overrides={"interval_s": (8.0, 9.0)}),
        {"bounded_answers"},
    ),
)
