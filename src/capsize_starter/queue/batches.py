"""Batches of a type that is proven fast: one transaction whose row locks are the lease.

The tasks stay pending for everybody else, and SKIP LOCKED passes over them. When the worker dies its session ends
and they are free at once; a frozen worker's session is ended by `idle_in_transaction_session_timeout`. The commit
on the same session is the fence: it fails when the session is gone.
"""

from pathlib import Path
from typing import Any

from capsize_starter.db import Connection, Database, Unavailable, load_queries
from capsize_starter.queue.claims import Claimed

SQL = load_queries(Path(__file__).with_name("claims.sql"))


class Batch:
    """Tasks locked by an open transaction. Ends with `commit` or `abort`, exactly one of them, once."""

    def __init__(self, database: Database, connection: Connection, rows: list[Any], worker: str) -> None:
        self._db = database
        self._connection = connection
        self._rows = rows
        self._worker = worker
        self.tasks = [
            Claimed(
                row["id"], row["type"], row["runs"] + 1, row["payload"], row["attempts"], row["max_attempts"]
            )
            for row in rows
        ]

    async def commit(
        self, results: list[tuple[int, str | None]], leased: list[int], lease_s: float, timeout_s: float
    ) -> None:
        """Record `results` (index in `tasks`, JSON text), turn the `leased` into runs with a lease, free the rest.

        Raises:
            Unavailable: nothing of it is recorded, or all of it is and the answer was lost.
        """
        connection = self._connection
        try:
            async with self._db.guard(connection, timeout_s):
                if results:
                    tids = [self._rows[index]["ctid"] for index, _ in results]
                    values = [result for _, result in results]
                    tag = await connection.execute(SQL.complete_locked, tids, values, self._worker)
                    if tag != f"UPDATE {len(results)}":
                        raise Unavailable(f"the batch's rows were not all there: {tag}")
                if leased:
                    tids = [self._rows[index]["ctid"] for index in leased]
                    await connection.execute(SQL.lease_locked, tids, self._worker, lease_s)
                await connection.execute("COMMIT")
        finally:
            self._db.release(connection)

    def abort(self) -> None:
        """Drop the session and with it the locks; awaits nothing."""
        self._db.release(self._connection, drop=True)


async def open_batch(
    database: Database, type: str, limit: int, *, worker: str, timeout_s: float
) -> Batch | None:
    """Lock up to `limit` due tasks of a type; None when there is none that is free."""
    connection = await database.acquire()
    try:
        async with database.guard(connection, timeout_s):
            await connection.execute("BEGIN")
            rows = await connection.fetch(SQL.claim_locked, type, limit)
            if not rows:
                await connection.execute("COMMIT")
    except BaseException:
        database.release(connection, drop=True)
        raise
    if not rows:
        database.release(connection)
        return None
    return Batch(database, connection, rows, worker)
