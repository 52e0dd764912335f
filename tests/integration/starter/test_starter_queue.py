"""The queue's operations on a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from starter_helpers import delay
from starter_postgres import Postgres

from capsize_starter.db import Database, migrate
from capsize_starter.db.migrate import find
from capsize_starter.queue import (
    BadCursor,
    Claims,
    IdempotencyConflict,
    NewTask,
    Queue,
    TaskConflict,
    TaskNotFound,
)
from capsize_starter.settings import DatabaseSettings

MakeClaims = Callable[..., Claims]


async def test_concurrent_claims_never_give_a_task_twice(queue: Queue, claims: MakeClaims) -> None:
    """Eight claimants that race for 400 tasks get each task once, and all of them."""
    ids = await queue.enqueue_many([delay(0)] * 400)

    async def take(worker: str) -> list[object]:
        mine, got = claims(worker), []
        while batch := await mine.claim("delay", 7):
            got += [(task.id, task.run) for task in batch]
        return got

    taken = [item for got in await asyncio.gather(*(take(f"w{n}") for n in range(8))) for item in got]
    assert sorted(taken) == sorted((task, 1) for task in ids)


async def test_priority_then_age_decide_the_order(queue: Queue, claims: MakeClaims) -> None:
    """The higher priority goes first, then the task that was due earlier; one in the future does not go at all."""
    now = datetime.now(UTC)
    late = await queue.enqueue(delay(0, run_at=now - timedelta(seconds=5)))
    early = await queue.enqueue(delay(0, run_at=now - timedelta(seconds=50)))
    urgent = await queue.enqueue(delay(0, priority=5))
    await queue.enqueue(delay(0, priority=9, run_at=now + timedelta(hours=1)))
    order = [(await claims().claim("delay", 1))[0].id for _ in range(3)]
    assert order == [urgent.task.id, early.task.id, late.task.id]
    assert await claims().claim("delay", 1) == []


async def test_peek_names_every_type_with_due_work(queue: Queue, claims: MakeClaims) -> None:
    """The type with the best task comes first; types with future tasks only are left out."""
    await queue.enqueue(NewTask(type="b"))
    await queue.enqueue(NewTask(type="a", priority=1))
    await queue.enqueue(NewTask(type="c", run_at=datetime.now(UTC) + timedelta(hours=1)))
    assert [head.type for head in await claims().peek()] == ["a", "b"]


async def test_fencing_refuses_a_late_run(queue: Queue, claims: MakeClaims) -> None:
    """Once a task runs again, the run before can neither complete, fail nor hand it back."""
    slow, quick = claims("slow", lease_s=0.001), claims("quick")
    await queue.enqueue(delay(0))
    [first] = await slow.claim("delay", 1)
    await asyncio.sleep(0.01)
    assert [lost.id for lost in await quick.reap()] == [first.id]
    [second] = await quick.claim("delay", 1)
    assert second.run == first.run + 1
    assert not await slow.complete(first.id, first.run, "delay", "1")
    assert not await slow.fail(first.id, first.run, "x", delay_s=None, blame_type=True)
    assert not await slow.hand_back(first.id, first.run)
    assert await slow.renew([(first.id, first.run)]) == set()
    assert await quick.complete(second.id, second.run, "delay", "2")
    done = await queue.get(first.id)
    assert (done.status, done.result, done.losses, done.attempts) == ("completed", 2, 1, 0)


async def test_a_repeated_complete_is_confirmed(queue: Queue, claims: MakeClaims) -> None:
    """A worker whose commit went through and whose answer was lost asks again and is told yes."""
    await queue.enqueue(delay(0))
    [run] = await claims().claim("delay", 1)
    assert await claims().complete(run.id, run.run, "delay", "1")
    assert await claims().complete(run.id, run.run, "delay", "1")
    assert not await claims().complete(run.id, run.run + 1, "delay", "1")


async def test_a_renewed_lease_is_not_reaped(queue: Queue, claims: MakeClaims) -> None:
    """Reaping takes leases that are over and leaves those that were renewed."""
    await queue.enqueue_many([delay(0)] * 2)
    short, long = claims("short", lease_s=0.05), claims("long")
    kept, dropped = await short.claim("delay", 2)
    assert await long.renew([(kept.id, kept.run)]) == {kept.id}
    await asyncio.sleep(0.06)
    assert [lost.id for lost in await long.reap()] == [dropped.id]


async def test_a_claim_that_comes_too_late_is_void(queue: Queue, claims: MakeClaims) -> None:
    """What the worker gave up long ago takes no task when a thawed server gets to it."""
    await queue.enqueue(delay(0))
    [head] = await claims().peek()
    assert await claims().claim("delay", 1, seen_at=head.seen_at - timedelta(seconds=2.1)) == []
    assert len(await claims().claim("delay", 1, seen_at=head.seen_at)) == 1


async def test_losing_too_many_workers_ends_in_the_dead_letter_queue(
    queue: Queue, claims: MakeClaims
) -> None:
    """Losses are counted apart from attempts, and at the limit the error says what happened."""
    task = (await queue.enqueue(delay(0, max_attempts=1))).task
    doomed = claims(lease_s=0.0, losses_max=3)
    for _ in range(3):
        assert await doomed.claim("delay", 1)
        await asyncio.sleep(0.005)
        await doomed.reap()
    dead = await queue.get(task.id)
    assert (dead.status, dead.losses, dead.attempts) == ("failed", 3, 0)
    assert dead.error is not None
    assert "3 workers were lost" in dead.error
    assert [item.id for item in (await queue.dead_letters()).items] == [task.id]


async def test_failing_waits_and_handing_back_does_not(queue: Queue, claims: MakeClaims) -> None:
    """A failed attempt is counted and delayed; a task handed back is free at once and counts nothing."""
    worker = claims()
    task = (await queue.enqueue(delay(0))).task
    [run] = await worker.claim("delay", 1)
    assert await worker.hand_back(run.id, run.run)
    [run] = await worker.claim("delay", 1)
    assert run.run == 2
    assert await worker.fail(run.id, run.run, "boom", delay_s=60.0, blame_type=True)
    waiting = await queue.get(task.id)
    assert (waiting.status, waiting.attempts, waiting.losses, waiting.error) == ("pending", 1, 0, "boom")
    assert waiting.run_at > datetime.now(UTC) + timedelta(seconds=50)
    assert await worker.claim("delay", 1) == []


async def test_an_idempotency_key_creates_one_task(queue: Queue) -> None:
    """Ten racing requests with one key make one task; another user's or another body's key is not the same."""
    user, other = uuid4(), uuid4()
    new = NewTask(type="delay", payload={"seconds": 1, "x": 2})
    answers = await asyncio.gather(
        *(queue.enqueue(new, user_id=user, idempotency_key="k") for _ in range(10))
    )
    assert len({answer.task.id for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    reordered = NewTask(type="delay", payload={"x": 2, "seconds": 1})
    assert (await queue.enqueue(reordered, user_id=user, idempotency_key="k")).replayed
    assert not (await queue.enqueue(new, user_id=other, idempotency_key="k")).replayed
    with pytest.raises(IdempotencyConflict):
        await queue.enqueue(delay(9), user_id=user, idempotency_key="k")
    assert not (await queue.enqueue(new, idempotency_key="k")).replayed
    assert (await queue.enqueue(new, idempotency_key="k")).replayed
    assert (await queue.stats()).created == 3


async def test_pages_cover_every_task_once(queue: Queue) -> None:
    """Pages follow each other newest first without a gap or a repetition, and filters hold."""
    user = uuid4()
    ids = await queue.enqueue_many([delay(0)] * 5 + [NewTask(type="x")] * 2, user_id=user)
    await queue.enqueue_many([delay(0)] * 3, user_id=uuid4())
    seen, cursor = [], None
    while True:
        page = await queue.page(user_id=user, limit=3, cursor=cursor)
        seen += [task.id for task in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(ids, reverse=True)
    assert len((await queue.page(user_id=user, type="x")).items) == 2
    assert (await queue.page(user_id=user, status="completed")).items == []
    for broken in ("", "!", "AAAA", "A" * 23):
        with pytest.raises(BadCursor):
            await queue.page(cursor=broken)


async def test_changes_on_request_follow_the_status(queue: Queue, claims: MakeClaims) -> None:
    """Cancel, retry, requeue and delete are refused with the status when it does not fit, and across users."""
    user = uuid4()
    task = (await queue.enqueue(delay(0), user_id=user)).task
    for change in (queue.get, queue.cancel, queue.retry, queue.delete):
        with pytest.raises(TaskNotFound):
            await change(task.id, user_id=uuid4())
    for change in (queue.retry, queue.requeue, queue.delete):
        with pytest.raises(TaskConflict):
            await change(task.id, user_id=user)
    assert (await queue.cancel(task.id, user_id=user)).status == "cancelled"
    with pytest.raises(TaskConflict):
        await queue.cancel(task.id, user_id=user)
    with pytest.raises(TaskConflict):
        await queue.requeue(task.id, user_id=user)
    assert (await queue.retry(task.id, user_id=user)).status == "pending"
    [run] = await claims().claim("delay", 1)
    await claims().fail(run.id, run.run, "x", delay_s=None, blame_type=False)
    again = await queue.requeue(task.id, user_id=user)
    assert (again.status, again.attempts, again.error) == ("pending", 0, None)
    [run] = await claims().claim("delay", 1)
    assert run.run == 2, "a fencing number never repeats"
    assert (await queue.cancel(task.id)).status == "cancelled"
    assert not await claims().complete(run.id, run.run, "delay", "1"), "cancelled while it ran"
    await queue.delete(task.id, user_id=user)
    with pytest.raises(TaskNotFound):
        await queue.get(task.id)


async def test_created_is_counted_on_its_own_account(
    queue: Queue, claims: MakeClaims, database: Database
) -> None:
    """What is deleted on request is taken off; a row that vanishes otherwise shows as a difference."""
    await asyncio.gather(*(queue.enqueue_many([delay(0)] * 20) for _ in range(5)))
    done, failed, *_ = await claims().claim("delay", 4)
    await claims().complete(done.id, done.run, "delay", "1")
    await claims().fail(failed.id, failed.run, "x", delay_s=None, blame_type=False)
    stats = await queue.stats()
    assert (stats.created, stats.pending, stats.running, stats.completed, stats.failed) == (100, 96, 2, 1, 1)
    assert stats.dead_letter == 1
    assert await queue.purge_dead_letters() == 1
    await queue.delete(done.id)
    assert (await queue.stats()).created == 98
    await database.execute("DELETE FROM tasks WHERE ctid IN (SELECT ctid FROM tasks LIMIT 3)")
    stats = await queue.stats()
    assert stats.created - (stats.pending + stats.running) == 3


async def test_a_payload_comes_back_as_it_was_sent(queue: Queue) -> None:
    """Null characters, non-Latin text and nesting survive; a bulk insert keeps each task's own fields."""
    payload = {"text": "a\0ü\u2028", "list": [1, 2.5, None, {"x": []}]}
    task = (await queue.enqueue(NewTask(type="t", payload=payload))).task
    assert (await queue.get(task.id)).payload == payload
    news = [NewTask(type=f"t{n}", payload=n, priority=n, max_attempts=n + 1) for n in range(3)]
    for id, new in zip(await queue.enqueue_many(news), news, strict=True):
        got = await queue.get(id)
        assert (got.type, got.payload, got.priority, got.max_attempts) == (
            new.type, new.payload, new.priority, new.max_attempts,
        )  # fmt: skip


async def test_migrations_may_run_in_many_processes_at_once(server: Postgres) -> None:
    """Six that start together apply each file once between them, and a seventh finds nothing to do."""
    name = f"m_{uuid4().hex}"
    admin = Database(DatabaseSettings(url=server.url))
    await admin.execute(f"CREATE DATABASE {name}", timeout_s=30)
    await admin.close()
    several = [Database(DatabaseSettings(url=server.database(name))) for _ in range(6)]
    applied = [file for files in await asyncio.gather(*(migrate(one) for one in several)) for file in files]
    assert applied == [path.name for _, path in find()]
    assert await migrate(several[0]) == []
    for one in several:
        await one.close()


async def test_a_migration_that_fails_leaves_nothing(database: Database, tmp_path: Path) -> None:
    """Files are applied together or not at all."""
    (tmp_path / "0101_good.sql").write_text("CREATE TABLE half ()")
    (tmp_path / "0102_bad.sql").write_text("CREATE TABEL")
    with pytest.raises(Exception, match="syntax"):
        await migrate(database, folder=tmp_path)
    assert await database.fetchval("SELECT to_regclass('half')") is None
