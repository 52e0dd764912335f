"""The look at the database's own integrity, on a real PostgreSQL: sound, with a broken page, with a wrong index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.errors import InjectionError
from capsize.core.events import Noted, Sample
from capsize.platforms.local import LocalPlatform
from capsize.probes.integrity import IntegrityProbe
from support.engines import need_postgres
from support.tiny import POSTGRES, Recorder

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]

SCHEMAS = "SELECT count(*) AS n FROM pg_namespace WHERE nspname = 'capsize_integrity'"


@pytest.fixture
async def platform(tmp_path) -> AsyncIterator[LocalPlatform]:
    """A platform that runs nothing but PostgreSQL."""
    need_postgres()
    under = LocalPlatform(tmp_path / "logs", Recorder(), MonotonicClock(), {"witness_url": "http://w"})
    await under.up([POSTGRES])
    await under.query("CREATE TABLE kept (id integer PRIMARY KEY, text text)")
    await under.query("INSERT INTO kept SELECT n, repeat('x', 50) FROM generate_series(1, 2000) AS n")
    yield under
    await under.down()


async def concluded(stage: Any, platform: Any) -> Sample:
    """Take the last look and return what was recorded."""
    stage.platform = platform
    await IntegrityProbe().conclude(stage)
    return stage.events[-1]


class WithoutAmcheck:
    """A database whose server has no amcheck."""

    name = "without"

    def __init__(self, under: LocalPlatform) -> None:
        self._under = under

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        if "CREATE EXTENSION" in sql:
            raise InjectionError("there is no such extension")
        return await self._under.query(sql, *args)


def turn_over(path: Path) -> None:
    """Turn 16 bytes of the second page over."""
    data = bytearray(path.read_bytes())
    where = slice(8192 + 4000, 8192 + 4016)
    data[where] = bytes(255 - byte for byte in data[where])
    path.write_bytes(data)


async def damage_file(platform: LocalPlatform, relation: str) -> None:
    """Turn some bytes of a relation's second page over, as a disk does, while the server is down."""
    rows = await platform.query(
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath($1::text::regclass) AS path",
        relation,
    )
    await platform.stop("postgres-1")
    await asyncio.to_thread(turn_over, Path(rows[0]["path"]))
    await platform.start("postgres-1")


async def test_a_sound_database_is_sound_and_left_as_it_was(platform, stage_at):
    """Checksums are on, every table and index is read, and nothing of ours stays; also without amcheck."""
    stage = stage_at("http://127.0.0.1:1")
    look = await concluded(stage, platform)
    assert (look.subject, look.error) == ("whole", None)
    assert (look.values["checksums"], look.values["by"]) == (True, "amcheck")
    assert (look.values["damage"], look.values["unread"], look.values["checksum_failures"]) == ([], [], 0)
    assert look.values["relations"] > 100
    plain = await concluded(stage, WithoutAmcheck(platform))
    assert (plain.values["by"], plain.values["damage"], plain.values["unread"]) == ("full read", [], [])
    assert (await platform.query(SCHEMAS))[0]["n"] == 0
    assert await platform.query("SELECT FROM pg_extension WHERE extname = 'amcheck'") == []


class WithGhost(WithoutAmcheck):
    """A database of which one table is dropped between the list and the reading."""

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        rows = await self._under.query(sql, *args)
        if "AS kind" in sql:
            rows.append({"id": 4_000_000_000, "name": "dropped", "kind": "r"})
        return rows


async def test_what_was_dropped_meanwhile_is_not_missed(platform, stage_at):
    """A service may drop a table of its own at any time: nothing is left unread by that."""
    look = await concluded(stage_at("http://127.0.0.1:1"), WithGhost(platform))
    assert (look.values["by"], look.values["unread"], look.values["damage"]) == ("amcheck", [], [])


async def test_a_broken_page_is_found_by_its_checksum(platform, stage_at):
    """With amcheck and without it; PostgreSQL counts it as well."""
    await damage_file(platform, "kept")
    stage = stage_at("http://127.0.0.1:1")
    for way in (platform, WithoutAmcheck(platform)):
        look = await concluded(stage, way)
        assert any(where.startswith("kept: ") for where in look.values["damage"]), look
        assert look.values["unread"] == []
        assert look.values["checksum_failures"] >= 1


async def test_an_index_that_lies_is_found(platform, stage_at):
    """Its order is not that of its rows: no checksum tells, amcheck does."""
    await platform.query("CREATE FUNCTION f(n integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT n'")
    await platform.query("CREATE INDEX wrong ON kept (f(id))")
    await platform.query(
        "CREATE OR REPLACE FUNCTION f(n integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT -n'"
    )
    look = await concluded(stage_at("http://127.0.0.1:1"), platform)
    assert [where.split(":")[0] for where in look.values["damage"]] == ["wrong"]


async def test_looks_go_on_through_an_outage(platform, stage_at, running):
    """A database that is away is an error of that look, and the next ones go on."""
    stage = stage_at("http://127.0.0.1:1")
    stage.platform = platform
    async with running(IntegrityProbe(interval_s=0.05).run(stage)):
        await stage.until(lambda events: any(look.values.get("checksums") for look in events))
        await platform.stop("postgres-1", hard=True)
        await stage.until(lambda events: events[-1].error is not None)
        await platform.start("postgres-1")
        await stage.until(lambda events: events[-1].error is None)


async def test_without_a_way_to_the_database_there_is_a_note(stage_at):
    """The probe says once what is not seen, and has no last look."""
    stage = stage_at("http://127.0.0.1:1")
    await IntegrityProbe().run(stage)
    await IntegrityProbe().conclude(stage)
    (note,) = stage.events
    assert isinstance(note, Noted)
