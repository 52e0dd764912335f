"""What the API does with tasks: submit, look, cancel, retry, delete, count."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from capsize_starter.db import Database, load_queries
from capsize_starter.queue.errors import BadCursor, IdempotencyConflict, TaskConflict, TaskNotFound
from capsize_starter.queue.model import (
    BreakerView,
    Enqueued,
    NewTask,
    Page,
    Stats,
    Status,
    Task,
    TypeCounts,
    new_id,
)

SQL = load_queries(Path(__file__).with_name("queue.sql"))

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_canonical = msgspec.json.Encoder(order="sorted").encode

PAGE_MAX = 500


class Queue:
    """Operations on tasks by request. `user_id` limits each to one user's tasks; None means anybody's.

    Every method may raise `db.Unavailable`.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def enqueue(
        self, new: NewTask, *, user_id: UUID | None = None, idempotency_key: str | None = None
    ) -> Enqueued:
        """Put a task into the queue, once per idempotency key and user.

        Raises:
            IdempotencyConflict: the key was used for another request.
        """
        digest = hashlib.sha256(_canonical(new)).digest() if idempotency_key is not None else None
        row = await self._db.fetchrow(
            SQL.enqueue, new_id(), user_id, new.type, _encode(new.payload).decode(),
            new.priority, new.run_at, new.max_attempts, idempotency_key, digest,
        )  # fmt: skip
        if row is not None:
            return Enqueued(_task(row), replayed=False)
        assert idempotency_key is not None  # noqa: S101 - only a taken key makes the insert give no row
        row = await self._db.fetchrow(SQL.by_idempotency_key, user_id, idempotency_key)
        if row is None:  # deleted between the two statements, so the key is free again
            return await self.enqueue(new, user_id=user_id, idempotency_key=idempotency_key)
        if row["request_hash"] != digest:
            raise IdempotencyConflict(idempotency_key)
        return Enqueued(_task(row), replayed=True)

    async def enqueue_many(
        self, tasks: Sequence[NewTask], *, user_id: UUID | None = None, timeout_s: float = 30.0
    ) -> list[UUID]:
        """Put many tasks into the queue in one transaction; all or none. Returns their ids in order."""
        ids = [new_id() for _ in tasks]
        await self._db.execute(
            SQL.enqueue_many,
            ids,
            user_id,
            [new.type for new in tasks],
            [_encode(new.payload).decode() for new in tasks],
            [new.priority for new in tasks],
            [new.run_at for new in tasks],
            [new.max_attempts for new in tasks],
            timeout_s=timeout_s,
        )
        return ids

    async def get(self, task_id: UUID, *, user_id: UUID | None = None) -> Task:
        """One task.

        Raises:
            TaskNotFound: there is none with this id for this user.
        """
        row = await self._db.fetchrow(SQL.get, task_id, user_id)
        if row is None:
            raise TaskNotFound(task_id)
        return _task(row)

    async def page(
        self,
        *,
        user_id: UUID | None = None,
        status: Status | None = None,
        type: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """A page of tasks, newest first. `limit` is held between 1 and 500.

        Tasks created at `created_after` are in, those created at `created_before` are not.

        Raises:
            BadCursor: the cursor is malformed.
        """
        limit = max(1, min(limit, PAGE_MAX))
        before = None if cursor is None else _parse_cursor(cursor)
        rows = await self._db.fetch(
            SQL.page, user_id, status, type, before, limit + 1, created_after, created_before
        )
        items = [_task(row) for row in rows[:limit]]
        return Page(items, _make_cursor(items[-1].id) if len(rows) > limit else None)

    async def dead_letters(
        self, *, user_id: UUID | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """A page of the dead-letter queue: the tasks that failed for good."""
        return await self.page(user_id=user_id, status="failed", limit=limit, cursor=cursor)

    async def cancel(self, task_id: UUID, *, user_id: UUID | None = None) -> Task:
        """Cancel a task; one that runs is abandoned by its worker.

        Raises:
            TaskNotFound, TaskConflict: it is over already.
        """
        return await self._change(SQL.cancel, task_id, user_id, "cancelled")

    async def retry(self, task_id: UUID, *, user_id: UUID | None = None) -> Task:
        """Make a task that failed or was cancelled pending again, with all its attempts.

        Raises:
            TaskNotFound, TaskConflict: it has another status.
        """
        return await self._again(task_id, user_id, "retried", ["failed", "cancelled"])

    async def requeue(self, task_id: UUID, *, user_id: UUID | None = None) -> Task:
        """Take a task out of the dead-letter queue and make it pending again.

        Raises:
            TaskNotFound, TaskConflict: it is not in the dead-letter queue.
        """
        return await self._again(task_id, user_id, "requeued", ["failed"])

    async def delete(self, task_id: UUID, *, user_id: UUID | None = None) -> None:
        """Delete a task that is over.

        Raises:
            TaskNotFound, TaskConflict: it is pending or running.
        """
        if not await self._db.fetchval(SQL.delete, task_id, user_id):
            task = await self.get(task_id, user_id=user_id)
            raise TaskConflict(task_id, task.status, "deleted")

    async def purge_dead_letters(self, *, user_id: UUID | None = None) -> int:
        """Delete the whole dead-letter queue and return how many tasks it held."""
        return int(await self._db.fetchval(SQL.purge_dead_letters, user_id))

    async def stats(self, *, timeout_s: float | None = None) -> Stats:
        """All tasks of all users by status, in one snapshot."""
        row = await self._db.fetchrow(SQL.stats, timeout_s=timeout_s)
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return Stats(**row, dead_letter=row["failed"])

    async def type_counts(self, *, user_id: UUID | None = None) -> list[TypeCounts]:
        """Every type that has tasks, with its tasks by status."""
        return [TypeCounts(**row) for row in await self._db.fetch(SQL.type_counts, user_id)]

    async def breakers(self) -> list[BreakerView]:
        """The circuits of all types that ever failed; a type that is not listed is closed."""
        return [BreakerView(**row) for row in await self._db.fetch(SQL.breakers)]

    async def _again(self, task_id: UUID, user_id: UUID | None, wanted: str, statuses: list[Status]) -> Task:
        return await self._change(SQL.retry, task_id, user_id, wanted, statuses)

    async def _change(self, sql: str, task_id: UUID, user_id: UUID | None, wanted: str, *more: Any) -> Task:
        row = await self._db.fetchrow(sql, task_id, user_id, *more)
        if row is None:
            task = await self.get(task_id, user_id=user_id)
            raise TaskConflict(task_id, task.status, wanted)
        return _task(row)


def _task(row: Any) -> Task:
    result = row["result"]
    return Task(
        id=row["id"],
        type=row["type"],
        status=row["status"],
        payload=_decode(row["payload"]),
        result=None if result is None else _decode(result),
        error=row["error"],
        priority=row["priority"],
        attempts=row["attempts"],
        losses=row["losses"],
        max_attempts=row["max_attempts"],
        run_at=row["run_at"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        worker=row["worker"],
    )


def _make_cursor(task_id: UUID) -> str:
    return base64.urlsafe_b64encode(task_id.bytes).decode().rstrip("=")


def _parse_cursor(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise BadCursor from error
