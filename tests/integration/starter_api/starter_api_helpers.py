"""A real API process on a real PostgreSQL, and a client that speaks to it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

# The server that the starter's other tests use lives in the folder beside this one.
sys.path.insert(0, str(Path(__file__).parents[1] / "starter"))
from starter_postgres import Postgres

from capsize_starter.db import Database, migrate
from capsize_starter.settings import DatabaseSettings

LIMIT_S = 60.0
PASSWORD = "correct horse battery"
LIGHT = {"STARTER_ARGON2_TIME_COST": "1", "STARTER_ARGON2_MEMORY_KIB": "64"}


@dataclass
class Answer:
    """An HTTP answer, read to its end. `body` is the decoded JSON, or the bytes when it is none."""

    status: int
    headers: "aiohttp.typedefs.CIMultiDictProxy[str]"
    body: Any
    elapsed_s: float

    def problem(self, status: int, slug: str) -> dict[str, Any]:
        """Check that this is that problem, whole and in form, and return it."""
        assert (self.status, self.body) == (status, self.body), self.body
        assert self.headers["content-type"] == "application/problem+json"
        assert self.body["type"] == f"/problems/{slug}"
        assert self.body["status"] == status
        assert self.body["title"]
        body: dict[str, Any] = self.body
        return body


class Client:
    """One caller of the API; `token` goes into every request once it is set."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self.base = base
        self.token: str | None = None
        self.user: dict[str, Any] = {}
        self.login: dict[str, Any] = {}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, data: Any = None, **headers: str
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            given.setdefault("authorization", f"Bearer {self.token}")
        if data is not None:
            given.setdefault("content-type", "application/json")
        began = time.perf_counter()
        async with self._session.request(
            method,
            self.base + path,
            json=body,
            data=data,
            headers=given,
            timeout=aiohttp.ClientTimeout(LIMIT_S),
        ) as answer:
            raw = await answer.read()
            elapsed_s = time.perf_counter() - began
            parsed: Any = raw
            if "json" in answer.headers.get("content-type", ""):
                parsed = await answer.json(content_type=None)
            return Answer(answer.status, answer.headers, parsed, elapsed_s)

    def other(self) -> "Client":
        """A caller without a token."""
        return Client(self._session, self.base)

    async def signed_in(self) -> "Client":
        """A fresh user, logged in."""
        client = self.other()
        email = f"{uuid4().hex}@test.example"
        registered = await client(
            "POST", "/auth/register", {"email": email, "password": PASSWORD, "name": "T"}
        )
        assert registered.status == 201, registered.body
        client.user = registered.body
        answer = await client("POST", "/auth/login", {"email": email, "password": PASSWORD})
        assert answer.status == 200, answer.body
        client.login = answer.body
        client.token = answer.body["token"]
        return client

    async def task(self, type: str = "delay", **more: Any) -> dict[str, Any]:
        """A submitted task."""
        answer = await self("POST", "/tasks", {"type": type, "payload": {"seconds": 0.0}, **more})
        assert answer.status == 201, answer.body
        body: dict[str, Any] = answer.body
        return body


class Api:
    """A `capsize-starter server` process."""

    def __init__(self, url: str, folder: Path, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = str(probe.getsockname()[1])
        port = env.setdefault("PORT", free)
        self.port = int(port) if port.isdecimal() else 0
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"api-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "capsize_starter", "server"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **LIGHT, "DATABASE_URL": url, **env},
            )

    def listening(self) -> bool:
        """Whether the port takes connections."""
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def end(self) -> None:
        """Kill it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()


def temporary_postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        server = Postgres(Path(folder) / "pg")
        server.create()
        try:
            yield server
        finally:
            server.stop()


async def make_database(postgres: Postgres, *, migrated: bool) -> str:
    """The URL of a fresh database."""
    name = f"t_{uuid4().hex}"
    admin = Database(DatabaseSettings(url=postgres.url))
    await admin.execute(f"CREATE DATABASE {name}", timeout_s=60)
    await admin.close()
    if migrated:
        await migrate_url(postgres.database(name))
    return postgres.database(name)


async def migrate_url(url: str) -> None:
    database = Database(DatabaseSettings(url=url, db_connect_timeout_s=20))
    await migrate(database)
    await database.close()


async def until(look: Callable[[], Any], *, why: str, limit_s: float = LIMIT_S) -> Any:
    """Wait until an async look is true and return what it saw."""
    deadline = time.monotonic() + limit_s
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"never happened: {why}"
        await asyncio.sleep(0.02)
    return seen
