"""What a worker announces to the witness, received by a real HTTP server."""

import asyncio
import json
from collections.abc import Callable
from uuid import UUID

import pytest
from starter_helpers import WorkerProcess, delay, status_is, until

from capsize_starter.queue import NewTask, Queue

StartWorker = Callable[..., WorkerProcess]


class Receiver:
    """Answers 204 to every event, or 500 for the first `refusals` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.seen: list[tuple[str, str, int, str]] = []
        self.connections = 0
        self.refusals = refusals

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.startswith("post /events http/1.1")
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                event = json.loads(await reader.readexactly(length))
                if self.refusals:
                    self.refusals -= 1
                    writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")
                    continue
                self.seen.append((event["task"], event["event"], event["attempt"], event["worker"]))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def of(self, task: UUID) -> list[tuple[str, int, str]]:
        return [(event, attempt, worker) for id, event, attempt, worker in self.seen if id == str(task)]


@pytest.fixture
async def receiver() -> tuple[Receiver, str]:
    made = Receiver()
    return made, await made.start()


async def test_a_run_is_announced_from_start_to_record(
    url: str, queue: Queue, worker: StartWorker, receiver: tuple[Receiver, str]
) -> None:
    """started, finished, recorded, in this order, over one kept connection, for each of many fast tasks."""
    seen, address = receiver
    await worker(url, WITNESS_URL=address).ready()
    ids = await queue.enqueue_many([delay(0)] * 40)
    for task in ids:
        await status_is(queue, task, "completed")
    expected = [("started", 1, "w1"), ("finished", 1, "w1"), ("recorded", 1, "w1")]
    await until(lambda: all(seen.of(task) == expected for task in ids), why=f"all announced: {seen.seen[:9]}")
    assert seen.connections == 1


async def test_failure_loss_and_cancel_are_told_apart(
    url: str, queue: Queue, worker: StartWorker, receiver: tuple[Receiver, str]
) -> None:
    """A raising handler is `failed`, a cancelled run `abandoned`; a killed worker's run just stops, and the next
    run has the next number."""
    seen, address = receiver
    first = await worker(url, "first", WITNESS_URL=address, STARTER_LEASE_S="2").ready()
    bad = NewTask(type="webhook", payload={"url": "http://127.0.0.1:9/"}, max_attempts=1)
    failed = (await queue.enqueue(bad)).task
    await status_is(queue, failed.id, "failed")
    assert seen.of(failed.id) == [("started", 1, "first"), ("failed", 1, "first")]

    cancelled = (await queue.enqueue(delay(60))).task
    await until(lambda: seen.of(cancelled.id), why="it runs")
    await queue.cancel(cancelled.id)
    await until(lambda: len(seen.of(cancelled.id)) == 2, why="it is abandoned")
    assert seen.of(cancelled.id)[1] == ("abandoned", 1, "first")

    lost = (await queue.enqueue(delay(1))).task
    await until(lambda: seen.of(lost.id), why="it runs")
    first.kill()
    await worker(url, "second", WITNESS_URL=address).ready()
    await until(lambda: len(seen.of(lost.id)) == 4, why="it ran again")
    assert seen.of(lost.id) == [
        ("started", 1, "first"), ("started", 2, "second"), ("finished", 2, "second"), ("recorded", 2, "second"),
    ]  # fmt: skip


async def test_a_frozen_run_is_abandoned_and_never_finished(
    url: str, queue: Queue, worker: StartWorker, receiver: tuple[Receiver, str]
) -> None:
    """SIGSTOP past the lease in the middle of a handler: after SIGCONT there is no effect, only `abandoned`."""
    seen, address = receiver
    settings = {"WITNESS_URL": address, "STARTER_LEASE_S": "1", "STARTER_HEARTBEAT_S": "0.2"}
    frozen = await worker(url, "frozen", **settings).ready()
    task = (await queue.enqueue(delay(1.2))).task
    await until(lambda: seen.of(task.id), why="it runs")
    frozen.freeze()
    await worker(url, "other", **settings).ready()
    await status_is(queue, task.id, "completed")
    frozen.thaw()
    await until(lambda: ("abandoned", 1, "frozen") in seen.of(task.id), why="it is abandoned")
    assert ("finished", 1, "frozen") not in seen.of(task.id)
    assert ("finished", 2, "other") in seen.of(task.id)


async def test_a_witness_that_refuses_or_is_away_fails_no_task(
    url: str, queue: Queue, worker: StartWorker, receiver: tuple[Receiver, str]
) -> None:
    """Refused announcements are tried again and arrive; with nobody listening the task is completed all the same."""
    seen, address = receiver
    seen.refusals = 2
    first = await worker(url, "w1", WITNESS_URL=address).ready()
    task = (await queue.enqueue(delay(0))).task
    await status_is(queue, task.id, "completed")
    await until(lambda: len(seen.of(task.id)) == 3, why="all three arrive")
    first.kill()
    process = await worker(url, "w2", WITNESS_URL="http://127.0.0.1:9").ready()
    task = (await queue.enqueue(delay(0))).task
    await status_is(queue, task.id, "completed")
    assert process.events("witness.dropped")
