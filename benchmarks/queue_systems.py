"""The five queues under benchmarks/queue.py, each behind the same two roles: a producer and a worker.

Every worker runs the same no-op: it notes in a shared file that it ran and how long ago the task was sent.

    python benchmarks/queue_systems.py SYSTEM    runs one worker process of SYSTEM, set up by the environment
"""

import asyncio
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

SLOTS = 4096
SIZE = 24 + SLOTS * 8
WORKERS = 2


class Tally:
    """What one worker process did: runs, first and last moment, and the latencies of the latest runs."""

    def __init__(self, path: Path) -> None:
        path.touch()
        if path.stat().st_size < SIZE:
            os.truncate(path, SIZE)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)

    def ran(self, sent_at: float) -> None:
        now = time.monotonic()
        count, first, _ = struct.unpack_from("qdd", self._map)
        struct.pack_into("d", self._map, 24 + count % SLOTS * 8, now - sent_at)
        struct.pack_into("qdd", self._map, 0, count + 1, first or now, now)

    def read(self) -> tuple[int, float, float, list[float]]:
        count, first, last = struct.unpack_from("qdd", self._map)
        return count, first, last, list(struct.unpack_from(f"{min(count, SLOTS)}d", self._map, 24))


_tally: Tally | None = None


def ran(sent_at: float) -> None:
    """The body of every no-op task. A process makes its file at its first task, after any fork."""
    global _tally
    if _tally is None:
        _tally = Tally(Path(os.environ["BENCH_FOLDER"]) / f"{os.getpid()}.tally")
    _tally.ran(sent_at)


Send = Callable[[float], Awaitable[object]]
SendMany = Callable[[int], Awaitable[object]]
POSTGRES = os.environ.get("BENCH_POSTGRES", "")
REDIS = os.environ.get("BENCH_REDIS", "")
CHUNK = 1000


# --- the starter -----------------------------------------------------------------------------------------------


async def starter_producer() -> tuple[Send, SendMany]:
    from capsize_starter.db import Database, migrate
    from capsize_starter.queue import NewTask, Queue
    from capsize_starter.settings import DatabaseSettings

    database = Database(DatabaseSettings(url=POSTGRES))
    await migrate(database)
    queue = Queue(database)

    async def many(total: int) -> None:
        for _ in range(total // CHUNK):
            await queue.enqueue_many([NewTask(type="noop", payload={"sent": 0.0})] * CHUNK)

    return lambda sent: queue.enqueue(NewTask(type="noop", payload={"sent": sent})), many


def starter_worker() -> None:
    import msgspec

    from capsize_starter.handlers import Context, Handler
    from capsize_starter.settings import DatabaseSettings, QueueSettings, WorkerSettings
    from capsize_starter.worker import Worker, serve

    class Noop(msgspec.Struct):
        sent: float

    async def noop(payload: Noop, context: Context) -> None:
        context.check()
        ran(payload.sent)

    async def work() -> None:
        settings = WorkerSettings(concurrency=2)
        handlers = {"noop": Handler("noop", "", Noop, noop)}
        await serve(Worker(settings, QueueSettings(), DatabaseSettings(url=POSTGRES), handlers=handlers))

    _run(work())


# --- pgqueuer --------------------------------------------------------------------------------------------------


async def pgqueuer_producer() -> tuple[Send, SendMany]:
    import asyncpg
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    queries = Queries(AsyncpgDriver(await asyncpg.connect(POSTGRES)))
    await queries.install()

    async def many(total: int) -> None:
        for _ in range(total // CHUNK):
            await queries.enqueue(["noop"] * CHUNK, [b"0"] * CHUNK, [0] * CHUNK)

    return lambda sent: queries.enqueue("noop", repr(sent).encode()), many


def pgqueuer_worker() -> None:
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.models import Job

    async def work() -> None:
        app = PgQueuer(AsyncpgDriver(await asyncpg.connect(POSTGRES)))

        @app.entrypoint("noop")
        async def noop(job: Job) -> None:
            ran(float(job.payload or b"0"))

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, app.shutdown.set)
        await app.run(batch_size=500)

    _run(work())


# --- Procrastinate ---------------------------------------------------------------------------------------------


def _procrastinate():  # type: ignore[no-untyped-def]
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=POSTGRES))

    @app.task(name="noop")
    async def noop(sent: float) -> None:
        ran(sent)

    return app, noop


async def procrastinate_producer() -> tuple[Send, SendMany]:
    app, noop = _procrastinate()
    await app.open_async()
    await app.schema_manager.apply_schema_async()

    async def many(total: int) -> None:
        for _ in range(total // CHUNK):
            await noop.batch_defer_async(*[{"sent": 0.0}] * CHUNK)

    return lambda sent: noop.defer_async(sent=sent), many


def procrastinate_worker() -> None:
    async def work() -> None:
        app, _ = _procrastinate()
        async with app.open_async():
            await app.run_worker_async(concurrency=10, delete_jobs="successful")

    _run(work())


# --- taskiq ----------------------------------------------------------------------------------------------------


def _taskiq():  # type: ignore[no-untyped-def]
    from taskiq_redis import ListQueueBroker

    broker = ListQueueBroker(url=REDIS, queue_name="bench")

    async def body(sent: float) -> None:
        ran(sent)

    return broker, broker.register_task(body, task_name="noop")


async def taskiq_producer() -> tuple[Send, SendMany]:
    broker, noop = _taskiq()
    await broker.startup()

    async def many(total: int) -> None:
        for _ in range(total // 50):
            await asyncio.gather(*(noop.kiq(0.0) for _ in range(50)))

    return noop.kiq, many


# --- Celery ----------------------------------------------------------------------------------------------------


def _celery():  # type: ignore[no-untyped-def]
    from celery import Celery

    app = Celery("bench", broker=REDIS)
    app.conf.update(
        task_ignore_result=True, worker_prefetch_multiplier=128, task_default_queue="celery_bench"
    )

    @app.task(name="noop")
    def noop(sent: float) -> None:
        ran(sent)

    return app, noop


async def celery_producer() -> tuple[Send, SendMany]:
    _, noop = _celery()

    async def one(sent: float) -> None:
        noop.delay(sent)

    async def many(total: int) -> None:
        for _ in range(total):
            noop.delay(0.0)

    return one, many


# --- all of them -----------------------------------------------------------------------------------------------


def _run(work: Awaitable[None]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)  # type: ignore[arg-type]


def commands(system: str) -> list[list[str]]:
    """The command lines that make up `WORKERS` worker processes of a system."""
    own = [sys.executable, "-P", __file__, system]
    tool = str(Path(sys.executable).parent)
    if system == "taskiq":
        return [
            [f"{tool}/taskiq", "worker", "--workers", str(WORKERS), "--max-async-tasks", "100", "--log-level",
             "ERROR", "queue_systems:taskiq_broker"]
        ]  # fmt: skip
    if system == "celery":
        return [
            [f"{tool}/celery", "-A", "queue_systems:celery_app", "worker", "-c", str(WORKERS), "-l", "ERROR",
             "--without-gossip", "--without-mingle", "--without-heartbeat"]
        ]  # fmt: skip
    return [own] * WORKERS


def __getattr__(name: str) -> object:
    """The objects that taskiq's and Celery's own command lines import."""
    if name == "taskiq_broker":
        return _taskiq()[0]
    if name == "celery_app":
        return _celery()[0]
    raise AttributeError(name)


PRODUCERS = {
    "starter": starter_producer,
    "pgqueuer": pgqueuer_producer,
    "procrastinate": procrastinate_producer,
    "taskiq": taskiq_producer,
    "celery": celery_producer,
}

if __name__ == "__main__":
    {"starter": starter_worker, "pgqueuer": pgqueuer_worker, "procrastinate": procrastinate_worker}[
        sys.argv[1]
    ]()
