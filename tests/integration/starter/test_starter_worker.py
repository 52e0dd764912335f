"""Real worker processes on a real PostgreSQL: killed, frozen, stopped, cancelled."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from starter_helpers import WorkerProcess, delay, status_is, until

from capsize_starter.db import Database
from capsize_starter.queue import NewTask, Queue

StartWorker = Callable[..., WorkerProcess]


async def test_a_killed_workers_task_runs_again(url: str, queue: Queue, worker: StartWorker) -> None:
    """The task is finished by another worker, counted as a loss and not as a failed attempt."""
    first = await worker(url, "first", STARTER_LEASE_S="2").ready()
    task = (await queue.enqueue(delay(3))).task
    await status_is(queue, task.id, "running")
    await worker(url, "second", STARTER_LEASE_S="2").ready()
    first.kill()
    done = await status_is(queue, task.id, "completed")
    assert (done.worker, done.losses, done.attempts, done.result) == ("second", 1, 0, {"seconds": 3.0})


async def test_sigterm_lets_a_run_finish(url: str, queue: Queue, worker: StartWorker) -> None:
    """Within the grace period the task is finished, nothing more is claimed, and the worker exits with 0."""
    process = await worker(url).ready()
    running, waiting = [(await queue.enqueue(delay(0.7))).task for _ in range(2)]
    await status_is(queue, running.id, "running")
    process.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.process.wait, 30) == 0
    assert (await queue.get(running.id)).status == "completed"
    assert (await queue.get(waiting.id)).status == "pending"
    assert process.events("worker.stopped")


async def test_sigterm_hands_back_what_takes_too_long(url: str, queue: Queue, worker: StartWorker) -> None:
    """After the grace period the task is pending again, counted neither as a failure nor as a loss."""
    process = await worker(url, STARTER_GRACE_S="0.2").ready()
    task = (await queue.enqueue(delay(60))).task
    await status_is(queue, task.id, "running")
    process.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.process.wait, 30) == 0
    back = await queue.get(task.id)
    assert (back.status, back.losses, back.attempts) == ("pending", 0, 0)


async def test_a_frozen_worker_abandons_its_run(url: str, queue: Queue, worker: StartWorker) -> None:
    """Thawed after its lease, it gives the run up by its own clock and another worker's result stands."""
    frozen = await worker(url, "frozen", STARTER_LEASE_S="1", STARTER_HEARTBEAT_S="0.2").ready()
    task = (await queue.enqueue(delay(1.5))).task
    await status_is(queue, task.id, "running")
    frozen.freeze()
    await worker(url, "other", STARTER_LEASE_S="1", STARTER_HEARTBEAT_S="0.2").ready()
    done = await status_is(queue, task.id, "completed")
    assert done.worker == "other"
    frozen.thaw()
    await until(lambda: frozen.events("run.abandoned"), why="the frozen run is abandoned")
    assert (await queue.get(task.id)).worker == "other"


async def test_cancelling_reaches_a_running_task(url: str, queue: Queue, worker: StartWorker) -> None:
    """The worker gives the run up and is free for the next task long before the first would have ended."""
    process = await worker(url).ready()
    long = (await queue.enqueue(delay(3000))).task
    await status_is(queue, long.id, "running")
    assert (await queue.cancel(long.id)).status == "cancelled"
    following = (await queue.enqueue(delay(0))).task
    await status_is(queue, following.id, "completed")
    assert process.events("run.abandoned")
    assert (await queue.get(long.id)).status == "cancelled"


async def test_a_failing_type_opens_and_others_go_on(url: str, queue: Queue, worker: StartWorker) -> None:
    """Webhooks to a closed port open their circuit within five failures; the rest keep their attempts."""
    await worker(url, STARTER_RETRY_BASE_S="0.01", STARTER_BREAKER_OPEN_S="600").ready()
    hook = NewTask(type="webhook", payload={"url": "http://127.0.0.1:9/"}, max_attempts=2)
    await queue.enqueue_many([hook] * 10)

    async def opened() -> bool:
        return any(view.state == "open" for view in await queue.breakers())

    await until(opened, why="the circuit opens")
    other = (await queue.enqueue(delay(0))).task
    await status_is(queue, other.id, "completed")
    page = await queue.page(type="webhook")
    assert sum(task.attempts for task in page.items) == 5


async def test_an_unknown_type_goes_to_the_dead_letter_queue(
    url: str, queue: Queue, worker: StartWorker
) -> None:
    """A worker refuses it at once, without another attempt, also while its circuit is open."""
    await worker(url).ready()
    for _ in range(2):
        task = (await queue.enqueue(NewTask(type="nonexistent_type", max_attempts=5))).task
        dead = await status_is(queue, task.id, "failed")
        assert dead.attempts == 1
        assert "nonexistent_type" in (dead.error or "")


async def test_a_killed_batch_is_free_at_once(
    url: str, queue: Queue, worker: StartWorker, database: Database
) -> None:
    """SIGKILL while fast tasks run by the thousand: none waits for a lease, none is lost, and all are done once."""
    first = await worker(url, "first", STARTER_LEASE_S="600", STARTER_HEARTBEAT_S="100").ready()
    await queue.enqueue_many([delay(0)] * 30_000)

    async def under_way() -> bool:
        return (await queue.stats()).completed > 1000

    await until(under_way, why="batches are under way")
    first.kill()
    stats = await queue.stats()
    assert stats.pending > 0, "killed too late to prove anything"
    await worker(url, "second").ready()

    async def rest_done() -> bool:
        return (await queue.stats()).pending == 0

    await until(rest_done, why="the second worker has done the rest")
    stats = await queue.stats()
    # A run under a lease may have been under way; nothing that was in a batch waits for the lease of 600 s.
    assert stats.running <= 1
    assert stats.completed + stats.running == 30_000
    assert await database.fetchval("SELECT max(runs) FROM tasks") == 1


async def test_a_frozen_batch_is_free_when_a_lease_would_be(
    url: str, queue: Queue, worker: StartWorker
) -> None:
    """SIGSTOP while batches run: another worker does the rest after a lease; thawed, the first one loses its batch,
    records nothing of it, and works on."""
    frozen = await worker(url, "frozen", STARTER_LEASE_S="1", STARTER_HEARTBEAT_S="0.2").ready()
    ids = await queue.enqueue_many([delay(0)] * 30_000)

    async def under_way() -> bool:
        return (await queue.stats()).completed > 1000

    await until(under_way, why="batches are under way")
    frozen.freeze()
    assert (await queue.stats()).pending > 0, "frozen too late to prove anything"
    other = await worker(url, "other", STARTER_LEASE_S="1", STARTER_HEARTBEAT_S="0.2").ready()

    async def all_done() -> bool:
        return (await queue.stats()).completed == len(ids)

    await until(all_done, why="the other worker has done the rest")
    other.kill()
    frozen.thaw()
    again = (await queue.enqueue(delay(0))).task
    assert (await status_is(queue, again.id, "completed")).worker == "frozen"
    assert (await queue.stats()).completed == len(ids) + 1


async def test_a_failure_in_a_batch_takes_the_ordinary_way(
    url: str, queue: Queue, worker: StartWorker, tmp_path: Path
) -> None:
    """Among many fast tasks one fails for good: it alone ends in the dead-letter queue, with one attempt."""
    await worker(url).ready()
    good = NewTask(type="file_cleanup", payload={"directory": "empty"})
    (tmp_path / "files" / "empty").mkdir(parents=True)
    (tmp_path / "files" / "out").symlink_to(tmp_path)
    bad = NewTask(type="file_cleanup", payload={"directory": "out"})
    await queue.enqueue_many([*[good] * 300, bad, *[good] * 100])

    async def all_over() -> bool:
        stats = await queue.stats()
        return stats.completed == 400 and stats.failed == 1

    await until(all_over, why="all are over")
    [dead] = (await queue.dead_letters()).items
    assert (dead.attempts, dead.losses) == (1, 0)
    assert "leads out" in (dead.error or "")


async def test_a_batch_that_overruns_becomes_runs(url: str, queue: Queue, worker: StartWorker) -> None:
    """A type that was fast and turns slow is not held in a transaction: its task shows as running, the rest wait."""
    await worker(url).ready()
    await queue.enqueue_many([delay(0)] * 2000)
    slow = (await queue.enqueue(delay(1.5))).task
    after = await queue.enqueue_many([delay(0)] * 200)
    await status_is(queue, slow.id, "running")
    done = await status_is(queue, slow.id, "completed")
    assert (done.losses, done.attempts) == (0, 0)
    for task in after:
        await status_is(queue, task, "completed")


async def test_a_task_scheduled_for_later_runs_then(url: str, queue: Queue, worker: StartWorker) -> None:
    """It does not run before its time and needs no notification to run after it."""
    from datetime import UTC, datetime, timedelta

    await worker(url).ready()
    due = datetime.now(UTC) + timedelta(seconds=1)
    task = (await queue.enqueue(delay(0, run_at=due))).task
    done = await status_is(queue, task.id, "completed")
    assert done.started_at is not None
    assert done.started_at >= due


async def test_handlers_do_their_work(url: str, queue: Queue, worker: StartWorker, tmp_path: Path) -> None:
    """A mail, a report, an aggregate and a cleanup leave what they say behind."""
    await worker(url).ready()
    files = tmp_path / "files"
    (files / "trash").mkdir(parents=True)
    (files / "trash" / "a.tmp").write_text("x")
    (files / "trash" / "b.txt").write_text("x")
    news = [
        NewTask(
            type="email", payload={"to": "a@b.c", "subject": "Hi", "body": "Dear {n}", "values": {"n": "Ü"}}
        ),
        NewTask(
            type="report_generation",
            payload={"title": "T", "columns": ["a", "b"], "rows": [[1, "x"], [2, "y"]]},
        ),
        NewTask(type="data_processing", payload={"data": [1, 2, 3], "operations": ["sum", "median"]}),
        NewTask(type="file_cleanup", payload={"directory": "trash", "pattern": "*.tmp"}),
    ]
    ids = await queue.enqueue_many(news)
    mail, report, numbers, cleanup = [await status_is(queue, task, "completed") for task in ids]
    assert b"To: a@b.c" in (files / mail.result["file"]).read_bytes()
    assert (files / report.result["file"]).read_text().splitlines()[-1] == "3,"
    assert numbers.result == {"sum": 6.0, "median": 2.0}
    assert cleanup.result["files"] == 1
    assert [path.name for path in (files / "trash").iterdir()] == ["b.txt"]
