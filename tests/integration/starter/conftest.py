"""A real PostgreSQL for the starter's tests, and workers as real processes."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starter_helpers import WorkerProcess
from starter_postgres import Postgres

from capsize_starter.breaker import BreakerPolicy
from capsize_starter.db import Database, migrate
from capsize_starter.queue import Claims, Queue
from capsize_starter.settings import DatabaseSettings


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One server for all tests that leave it alive."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        postgres = Postgres(Path(folder) / "pg")
        postgres.create()
        try:
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that a test may kill and freeze."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        postgres = Postgres(Path(folder) / "pg")
        postgres.create()
        try:
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture
async def url(server: Postgres) -> str:
    """The URL of a fresh, migrated database."""
    name = f"t_{uuid4().hex}"
    admin = Database(DatabaseSettings(url=server.url))
    await admin.execute(f"CREATE DATABASE {name}", timeout_s=30)
    await admin.close()
    await prepare(server.database(name))
    return server.database(name)


async def prepare(url: str) -> None:
    database = Database(DatabaseSettings(url=url))
    await migrate(database)
    await database.close()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    made = Database(DatabaseSettings(url=url, db_timeout_s=20.0))
    yield made
    await made.close()


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def claims(database: Database) -> Callable[..., Claims]:
    """Makes the claims of a worker."""

    def make(worker: str = "w", **changes: Any) -> Claims:
        values: dict[str, Any] = {"lease_s": 60.0, "losses_max": 10, "policy": BreakerPolicy(5, 30.0)}
        return Claims(database, worker=worker, **{**values, **changes})

    return make


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers: `worker(url, "w1", STARTER_LEASE_S="2")`."""
    started: list[WorkerProcess] = []

    def start(url: str, name: str = "w1", **env: str) -> WorkerProcess:
        started.append(WorkerProcess(url, name, tmp_path, env))
        return started[-1]

    yield start
    for process in started:
        process.end()
