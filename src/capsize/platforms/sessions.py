"""Sessions on a PostgreSQL that stay open until they are ended, whatever became of their owner."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from capsize.core.errors import HealError, InjectionError
from capsize.core.sessions import Refused

APPLICATION = "capsize"
"""The application name of our own connections, by which a fault leaves them alone."""

CONNECT_LIMIT_S = 5.0
GONE_LIMIT_S = 20.0
LOOK_S = 0.02
NAME_BYTES = 63

OPTIONS = {
    # A session whose owner is frozen or lost must not hold its lock for ever.
    "idle_session_timeout": "1h",
    "idle_in_transaction_session_timeout": "1h",
    # Without it a server that is busy for us, asleep perhaps, notices our death only when it wants to answer.
    "client_connection_check_interval": "250ms",
    "statement_timeout": "0",
    "lock_timeout": "0",
}

END = "select pid, pg_terminate_backend(pid) as told from pg_stat_activity where application_name = $1"

Query = Callable[..., Awaitable[list[dict[str, Any]]]]
AWAY = (ConnectionRefusedError, ConnectionResetError, FileNotFoundError)


class PostgresSession:
    """One connection and the statement that runs on it, if any; see :class:`capsize.core.sessions.Session`."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._running: asyncio.Task[None] | None = None
        self.pid: int = connection.get_server_pid()

    async def run(self, sql: str, *args: object, limit_s: float = 5.0) -> list[dict[str, Any]]:
        """Run one statement. A session whose statement was cut short is of no more use."""
        try:
            async with asyncio.timeout(limit_s):
                return [dict(row) for row in await self._connection.fetch(sql, *args)]
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError):
                self.close()
            told = _told(f"the database did not run {sql!r}", error, limit_s)
            if told is None:
                raise
            raise told from error

    def start(self, sql: str) -> asyncio.Future[None]:
        """Send one statement and don't wait for it."""
        self._running = asyncio.create_task(self._execute(sql))
        # Looked at by whoever wants to know; nobody has to.
        self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._running

    def close(self) -> None:
        """End it without a word to the server, which may be gone or frozen."""
        if self._running is not None:
            self._running.cancel()
        self._connection.terminate()

    async def _execute(self, sql: str) -> None:
        await self._connection.execute(sql)


class Sessions:
    """The sessions of one process on one database, by their labels.

    ``query`` runs a statement as the superuser on a connection of its own, and raises InjectionError.
    """

    def __init__(self, super_url: str, service_url: str, query: Query) -> None:
        self._super_url, self._service_url, self._query = super_url, service_url, query
        self._open: dict[str, list[PostgresSession]] = {}

    async def connect(self, label: str, *, as_service: bool = False) -> PostgresSession:
        """Open one more session under a label. Raises Refused and InjectionError."""
        url = self._service_url if as_service else self._super_url
        try:
            connection = await asyncpg.connect(
                url,
                ssl=False,
                timeout=CONNECT_LIMIT_S,
                server_settings=OPTIONS | {"application_name": application(label)},
            )
        except Exception as error:
            told = _told("the database let nobody in", error, CONNECT_LIMIT_S)
            if told is None:
                raise
            raise told from error
        session = PostgresSession(connection)
        self._open.setdefault(label, []).append(session)
        return session

    async def disconnect(self, label: str) -> None:
        """End all sessions under a label, of whatever process. Raises HealError."""
        own = self._open.pop(label, [])
        for session in own:
            session.close()
        try:
            async with asyncio.timeout(GONE_LIMIT_S):
                while await self._left(label, known=bool(own)):  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise HealError(
                f"sessions {application(label)!r} are still there after {GONE_LIMIT_S:g} s"
            ) from None

    def drop(self) -> None:
        """Close every session of this process and forget it."""
        for sessions in self._open.values():
            for session in sessions:
                session.close()
        self._open.clear()

    async def _left(self, label: str, *, known: bool) -> bool:
        """Tell all sessions under a label to end, and return whether there was any."""
        try:
            return bool(await self._query(END, application(label)))
        except InjectionError as error:
            if isinstance(error.__cause__, AWAY):
                return False
            if isinstance(error.__cause__, asyncpg.CannotConnectNowError):
                return True
            if known:
                # It does not answer, frozen perhaps. Ours are closed, and it sees that when it goes on.
                return False
            raise HealError(f"sessions {application(label)!r} could not be ended: {error}") from error


def application(label: str) -> str:
    """Return the application name of the sessions under a label; PostgreSQL cuts long ones, so that we do it."""
    name = f"{APPLICATION}/{label}"
    if len(name.encode()) <= NAME_BYTES:
        return name
    return f"{APPLICATION}/{hashlib.sha256(label.encode()).hexdigest()[:40]}"


def _told(what: str, error: BaseException, limit_s: float) -> InjectionError | None:
    """Return what is raised in the place of a driver's error; None for what is no error of the database."""
    if isinstance(error, asyncpg.PostgresError):
        return Refused(f"{what}: {error}", str(error.sqlstate or ""))
    if isinstance(error, TimeoutError):
        return InjectionError(f"{what}: no answer within {limit_s:g} s")
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return InjectionError(f"{what}: {error or type(error).__name__}")
    return None
