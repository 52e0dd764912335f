"""A PostgreSQL of our own: made, started, cleaned up after a kill, and asked as its superuser."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from capsize.core.errors import InjectionError, StartError
from capsize.core.platform import Service
from capsize.guardian import tree
from capsize.guardian.belonging import inside
from capsize.guardian.segment import release_segment
from capsize.platforms.local.keeper import Recipe
from capsize.platforms.local.log import InstanceLog
from capsize.platforms.local.looks import postgres_answers
from capsize.platforms.local.pgbin import other_user, programs
from capsize.platforms.local.ports import HOST
from capsize.platforms.local.process import Process, spawn
from capsize.platforms.local.waits import to_the_end
from capsize.platforms.sessions import APPLICATION

SUPERUSER = "capsize"
APP_USER = "app"
DATABASE = "postgres"
INITDB_LIMIT_S = 60.0
QUERY_LIMIT_S = 5.0

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    # So that we get in when the service has taken all connections; the service is no superuser.
    "superuser_reserved_connections": "10",
    "shared_buffers": "64MB",
    # The data directory may be in memory.
    "max_wal_size": "256MB",
    # Nothing here ends the machine, and what a killed process wrote is safe with the kernel: with or without
    # fsync, every acknowledged commit survives every fault that we have. Without it a run does not measure
    # how busy the disk of a build machine is. synchronous_commit and full_page_writes stay on.
    "fsync": "off",
    # Files in the data directory, which is removed: the default leaves segments in /dev/shm after a kill.
    "dynamic_shared_memory_type": "mmap",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_timezone": "UTC",
    # Passwords are random here: many rounds of hashing would only slow every connection down.
    "scram_iterations": "1",
    "jit": "off",
}


@dataclass
class Postgres:
    """One database cluster in a folder of its own. ``env`` of the service overrides :data:`SETTINGS`."""

    service: Service
    place: Path
    port: int
    log: InstanceLog
    user: pwd.struct_passwd | None = field(default_factory=other_user)
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    superpassword: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.place / "data"

    @property
    def url(self) -> str:
        """Return the address for the service, whose user owns the database and is no superuser."""
        return f"postgresql://{APP_USER}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def super_url(self) -> str:
        """Return the address for the superuser."""
        return f"postgresql://{SUPERUSER}:{self.superpassword}@{HOST}:{self.port}/{DATABASE}"

    async def make(self) -> Recipe:
        """Make the cluster and return how its server is started. Raises StartError."""
        folder = await to_the_end(asyncio.to_thread(self._prepare))
        secret = self.place / "secret"
        _write_for(secret, self.superpassword, self.user)
        await self._initdb(folder / "initdb", secret)
        secret.unlink()
        settings = SETTINGS | {"port": str(self.port)} | self.service.env
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Recipe(
            command=(str(folder / "postgres"), "-D", str(self.data), *options),
            env={},
            look=postgres_answers(self.port, SUPERUSER, DATABASE),
            ready_limit_s=self.service.ready.limit_s,
            # Its "fast shutdown". SIGTERM would wait until the last client has gone by itself.
            stop_signal=signal.SIGINT,
            stop_grace_s=self.service.stop_grace_s,
            restart=self.service.restart,
            user=self.user,
            cwd=self.place,
            before=self._clear,
        )

    async def give(self) -> None:
        """Make the service's user and give it the database."""
        connection = await connect(self.super_url)
        try:
            await connection.execute(
                f"create role {APP_USER} login password '{self.password}'; "
                f"alter database {DATABASE} owner to {APP_USER}"
            )
        finally:
            await connection.close(timeout=QUERY_LIMIT_S)

    # ------------------------------------------------------------ inside

    def _prepare(self) -> Path:
        folder = programs(self.place, self.user)
        self.data.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
        return folder

    async def _initdb(self, program: Path, secret: Path) -> None:
        fd = self.log.open("initdb")
        try:
            process = spawn(
                (str(program), "-D", str(self.data), "-U", SUPERUSER, "-A", "password", f"--pwfile={secret}",
                 "--no-sync", "--no-instructions", "--data-checksums", "-E", "UTF8", "--locale=C", "--locale-provider=builtin",
                 "--builtin-locale=C.UTF-8"),
                env={}, log=fd, on_exit=lambda _: None, user=self.user, cwd=self.place,
            )  # fmt: skip
        finally:
            os.close(fd)
        try:
            await process.gone(INITDB_LIMIT_S)
        finally:
            await _end(process)
        if process.code != 0:
            raise StartError(f"initdb ended with code {process.code}: there is no database.{self.log.tail()}")

    async def _clear(self) -> None:
        """Clear away what a killed server left, so that the next one starts at once."""
        if (self.data / "postmaster.pid").exists():
            await to_the_end(asyncio.to_thread(self._clear_now))

    def _clear_now(self) -> None:
        # Backends outlive their postmaster by some milliseconds, and the next server would refuse to start.
        for process in inside(self.data):
            tree.kill(process.pid)
        release_segment(self.data)
        # Its process is gone. Left where it is, PostgreSQL takes whoever has that number now for the old one.
        (self.data / "postmaster.pid").unlink(missing_ok=True)


class Superuser:
    """Statements as the superuser, on one connection that is made anew when it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection[Any] | None = None
        self._lock = asyncio.Lock()

    async def query(self, sql: str, args: tuple[object, ...]) -> list[dict[str, Any]]:
        """Run one statement and return its rows. Raises InjectionError, also when it takes too long."""
        try:
            async with asyncio.timeout(QUERY_LIMIT_S), self._lock:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self._url)
                return [dict(row) for row in await self._connection.fetch(sql, *args)]
        except (
            TimeoutError,
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            self.drop()
            why = str(error) or f"no answer within {QUERY_LIMIT_S:g} s"
            raise InjectionError(f"the database did not run {sql!r}: {why}") from error
        except BaseException:
            # Cancelled in the middle of a statement: the connection is in no state to be used again.
            self.drop()
            raise

    def drop(self) -> None:
        """Close the connection without a word to the server, which may be gone or frozen."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def connect(url: str) -> asyncpg.Connection[Any]:
    """Return a new connection that is marked as ours."""
    return await asyncpg.connect(
        url, ssl=False, timeout=QUERY_LIMIT_S, server_settings={"application_name": APPLICATION}
    )


async def _end(process: Process) -> None:
    if process.running:
        await to_the_end(asyncio.to_thread(tree.kill, process.pid))
        await process.gone(INITDB_LIMIT_S)


def _write_for(path: Path, text: str, user: pwd.struct_passwd | None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if user is not None:
            os.fchown(fd, user.pw_uid, user.pw_gid)
        os.write(fd, text.encode())
    finally:
        os.close(fd)
