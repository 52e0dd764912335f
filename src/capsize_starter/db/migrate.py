"""Migrations: numbered .sql files, each applied once, in order, by one process at a time."""

import asyncio
import re
from pathlib import Path

from capsize_starter.db.errors import DatabaseError
from capsize_starter.db.pool import Connection, Database
from capsize_starter.db.sqlfile import load_queries
from capsize_starter.log import EventLog

FOLDER = Path(__file__).with_name("migrations")
SQL = load_queries(Path(__file__).with_name("migrate.sql"))

log = EventLog("starter.db")


class MigrationError(DatabaseError):
    """The migration files and the database don't fit together."""


def find(folder: Path = FOLDER) -> list[tuple[int, Path]]:
    """The migration files `NNNN_name.sql` of a folder with their numbers, in order.

    Raises:
        MigrationError: a name is malformed or a number stands twice.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_\w+\.sql", path.name)
        if match is None or int(match[1]) in found:
            raise MigrationError(f"{path.name}: the name must be NNNN_name.sql with a number of its own")
        found[int(match[1])] = path
    return sorted(found.items())


async def migrate(database: Database, *, folder: Path = FOLDER, timeout_s: float = 60.0) -> list[str]:
    """Bring the database up to date and return the names of the files that were applied now.

    Any number of processes may call this at once: an advisory lock lets one work and the others wait, and they
    then find nothing to do. All files are applied in one transaction, so a failure leaves nothing behind.
    """
    files = find(folder)
    async with database.transaction(timeout_s) as connection:
        await connection.execute(SQL.lock)
        await connection.execute(SQL.create_table)
        done = {row["number"] for row in await connection.fetch(SQL.applied)}
        return [await _apply(connection, number, path) for number, path in files if number not in done]


async def _apply(connection: Connection, number: int, path: Path) -> str:
    await connection.execute(await asyncio.to_thread(path.read_text, "utf-8"))
    await connection.execute(SQL.record, number, path.name)
    log.info("migration.applied", name=path.name)
    return path.name
