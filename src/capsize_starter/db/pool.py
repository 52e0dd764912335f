"""A small pool over asyncpg that holds every wait to a limit and never keeps a dead connection.

Why not asyncpg's own pool: it resets a connection with a round trip at each release, and when a statement is
cut short it waits for the server to acknowledge the cancellation, which a frozen server never does. Here a
connection that was cut short for any reason is dropped at once (its socket is aborted, nothing is awaited), and
the next caller opens a new one. So an outage ends when the server is back, with no step of recovery.

Weakness: a caller that is cancelled in the middle of a statement costs a connection.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from capsize_starter.db.errors import Unavailable, is_outage
from capsize_starter.settings import DatabaseSettings

# jit: plans of a few rows only pay for it. TCP keepalives free the locks of a host that is gone.
SERVER_OPTIONS = {
    "jit": "off",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

WAIT_SHARE = 0.5
"""The share of its time that a caller may spend on waiting for a free connection.

Whoever waited for nearly all of it would be cut short in the middle of its statement, which costs the connection; the
next one would have to connect first, and be cut short too. After a slow spell the pool would never get out of it.
"""

Connection: TypeAlias = asyncpg.Connection


@dataclass(slots=True)
class _Allowance:
    """What is left of the time that a caller may spend on the database."""

    left_s: float


_allowance: ContextVar[_Allowance | None] = ContextVar("database allowance", default=None)


@contextmanager
def allowance(seconds: float) -> Iterator[None]:
    """Let all sessions of the block together take so long, and no longer.

    Each statement has its own limit. A caller with several of them would wait for the sum when the database is slow
    without being away.
    """
    token = _allowance.set(_Allowance(seconds))
    try:
        yield
    finally:
        _allowance.reset(token)


@contextmanager
def _spending(limit_s: float) -> Iterator[float]:
    """Give the block its limit or what is left of the allowance, and take off what it used."""
    whole = _allowance.get()
    if whole is None:
        yield limit_s
        return
    began = time.monotonic()
    try:
        yield max(0.0, min(limit_s, whole.left_s))
    finally:
        whole.left_s -= time.monotonic() - began


class PoolUsage(NamedTuple):
    """Connections of a pool: how many it may have, how many are in use, how many wait for use."""

    size: int
    used: int
    idle: int


class Database:
    """Statements and transactions on PostgreSQL, each within a limit of time.

    Every method raises `Unavailable` when the server can't be reached or does not answer within `timeout_s`
    (waiting for a free connection included), and asyncpg's own error when the statement itself is refused.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        name: str = "capsize-starter",
        options: Mapping[str, str] | None = None,
    ) -> None:
        """`name` shows in pg_stat_activity; `options` are server settings of every connection."""
        self._settings = settings
        self._options = {**SERVER_OPTIONS, "application_name": name, **(options or {})}
        self._idle: deque[Connection] = deque()
        self._permits = asyncio.Semaphore(settings.db_pool_size)
        self._used: set[Connection] = set()
        self._closed = False

    async def fetch(self, sql: str, *args: Any, timeout_s: float | None = None) -> list[asyncpg.Record]:
        """All rows of one statement."""
        async with self.session(timeout_s) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: Any, timeout_s: float | None = None) -> asyncpg.Record | None:
        """The first row of one statement, or None."""
        async with self.session(timeout_s) as connection:
            return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any, timeout_s: float | None = None) -> Any:
        """The first column of the first row, or None."""
        async with self.session(timeout_s) as connection:
            return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any, timeout_s: float | None = None) -> str:
        """Run one statement and return its command tag, as in `UPDATE 3`."""
        async with self.session(timeout_s) as connection:
            tag: str = await connection.execute(sql, *args)
            return tag

    @asynccontextmanager
    async def transaction(self, timeout_s: float | None = None) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits when the block ends and else rolls back.

        The limit covers the whole block, commit included.
        """
        async with self.session(timeout_s) as connection:
            # By hand, because asyncpg's own block would send a ROLLBACK to a server that no longer answers and
            # wait for it. What is not rolled back here is aborted with its connection.
            await connection.execute("BEGIN")
            try:
                yield connection
            except BaseException as error:
                if _still_good(error):
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def session(self, timeout_s: float | None = None) -> AsyncIterator[Connection]:
        """A connection for the block, dropped when the block did not end in order; the limit covers it all.

        Inside of `allowance` it may be shorter: what the caller has left.
        """
        limit = self._settings.db_timeout_s if timeout_s is None else timeout_s
        connection: Connection | None = None
        try:
            with _spending(limit) as left_s:
                async with asyncio.timeout(left_s):
                    connection = await self.acquire(left_s * WAIT_SHARE)
                    yield connection
        except BaseException as error:
            if connection is not None:
                self.release(connection, drop=not _still_good(error))
            if is_outage(error):
                raise Unavailable(_describe(error)) from error
            raise
        self.release(connection)

    @asynccontextmanager
    async def guard(self, connection: Connection, timeout_s: float) -> AsyncIterator[None]:
        """Hold statements on an acquired connection to a limit; a connection that was cut short is aborted."""
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except BaseException as error:
            if not _still_good(error):
                connection.terminate()
            if is_outage(error):
                raise Unavailable(_describe(error)) from error
            raise

    async def acquire(self, wait_s: float | None = None) -> Connection:
        """Take a connection; the caller must `release` it. Waits `wait_s` for a free one; connecting has its own limit."""
        if self._closed:
            raise Unavailable("the pool is closed")
        async with asyncio.timeout(wait_s):
            await self._permits.acquire()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    break
            else:
                connection = await self.connect()
        except BaseException:
            self._permits.release()
            raise
        self._used.add(connection)
        return connection

    def release(self, connection: Connection, *, drop: bool = False) -> None:
        """Give a connection back; `drop` aborts it, as does a transaction that is still open on it."""
        self._used.discard(connection)
        self._permits.release()
        if drop or self._closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)

    def usage(self) -> PoolUsage:
        """How many connections there are now."""
        return PoolUsage(self._settings.db_pool_size, len(self._used), len(self._idle))

    async def connect(self) -> Connection:
        """Open a connection outside the pool; the caller closes it.

        Raises:
            Unavailable: the server can't be reached within the connect timeout.
        """
        settings = self._settings
        try:
            connection: Connection = await asyncpg.connect(
                settings.url,
                timeout=settings.db_connect_timeout_s,
                server_settings=self._options,
            )
            return connection
        except Exception as error:
            if is_outage(error):
                raise Unavailable(_describe(error)) from error
            raise

    async def close(self) -> None:
        """Close every connection; those in use are aborted. Takes a second at most."""
        self._closed = True
        for connection in list(self._used):
            connection.terminate()
        idle, self._idle = list(self._idle), deque()
        await asyncio.gather(*(_close(connection) for connection in idle))


async def _close(connection: Connection) -> None:
    try:
        async with asyncio.timeout(1.0):
            await connection.close()
    except Exception:
        connection.terminate()


def _still_good(error: BaseException) -> bool:
    """Whether a connection on which `error` was raised has surely no statement under way."""
    if isinstance(error, asyncio.CancelledError | TimeoutError | GeneratorExit):
        return False
    return not is_outage(error)


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "PostgreSQL did not answer in time"
    return f"PostgreSQL is not available: {error or type(error).__name__}"
