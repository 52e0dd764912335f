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


DEFECTS = defects(
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
