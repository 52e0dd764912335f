"""Fixtures of the API's tests: one PostgreSQL and one API for all, and others for those who break them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from starter_api_helpers import (
    LIMIT_S,
    Api,
    Client,
    Postgres,
    make_database,
    migrate_url,
    temporary_postgres,
)

from capsize_starter.db import Database
from capsize_starter.settings import DatabaseSettings


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all tests that leave it alive."""
    yield from temporary_postgres()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop and freeze, with the starter's tables."""
    for server in temporary_postgres():
        asyncio.run(migrate_url(server.url))
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: Postgres) -> str:
    """A migrated database for the shared API."""
    return asyncio.run(make_database(postgres, migrated=True))


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Api]]:
    """Starts APIs: `start(url, STARTER_BODY_MAX="100")`; returns when the port listens."""
    started: list[Api] = []

    def run(url: str, **env: str) -> Api:
        api = Api(url, tmp_path_factory.mktemp("api"), **env)
        started.append(api)
        deadline = time.monotonic() + LIMIT_S
        while not api.listening():
            assert time.monotonic() < deadline, api.log.read_text()
            time.sleep(0.01)
        return api

    yield run
    for api in started:
        api.end()


@pytest.fixture(scope="session")
def shared_api(start: Callable[..., Api], database_url: str) -> Api:
    """The API that tests share unless they need one of their own."""
    # A pool that a slow machine can't time out: what is tested here is not the outage. The limit on addresses is
    # lifted, because all tests come from one.
    return start(database_url, STARTER_DB_TIMEOUT_S="20", STARTER_LOGIN_ADDRESS_MAX="100000")


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Api], Client]]:
    """Makes callers of an API."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield lambda api: Client(session, api.base)


@pytest.fixture
def anyone(shared_api: Api, connect: Callable[[Api], Client]) -> Client:
    """A caller of the shared API without a token."""
    return connect(shared_api)


@pytest.fixture
async def user(anyone: Client) -> Client:
    """A fresh user of the shared API, logged in."""
    return await anyone.signed_in()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The shared API's database, to bring tasks into states that only workers make."""
    made = Database(DatabaseSettings(url=database_url, db_timeout_s=20.0))
    yield made
    await made.close()


@pytest.fixture
def put(database: Database) -> Callable[..., Any]:
    """Puts a task into a status: `await put(task["id"], "failed")`."""

    async def run(task_id: str, status: str) -> None:
        over = status in ("completed", "failed", "cancelled")
        await database.execute(
            "UPDATE tasks SET status = $2, finished_at = CASE WHEN $3 THEN now() END WHERE id = $1",
            UUID(task_id), status, over,
        )  # fmt: skip

    return run


@pytest.fixture
def fresh_url(postgres: Postgres) -> str:
    """A migrated database that no other test has written to."""
    return asyncio.run(make_database(postgres, migrated=True))


@pytest.fixture
def bare_url(postgres: Postgres) -> str:
    """An empty database without tables."""
    return asyncio.run(make_database(postgres, migrated=False))
