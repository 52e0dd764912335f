"""What a user's worker says to the witness, over real sockets."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import capsize_witness
from capsize_witness import announcing


class Ear(ThreadingHTTPServer):
    """Keeps what it is told, and answers with the statuses that it was given, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.heard = list(statuses or (204,)), []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, json.loads(body)))
        statuses = self.server.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def ear(monkeypatch) -> Iterator[Ear]:
    with Ear() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("WITNESS_URL", server.url)
        monkeypatch.setenv("WORKER_ID", "worker-7")
        yield server
        server.shutdown()
        thread.join()


def said(ear: Ear) -> list[tuple[str, str, str]]:
    return [(body["event"], body["task"], body["worker"]) for _, body in ear.heard]


def test_an_announcement_names_task_event_and_worker(ear):
    """The worker is the one that capsize named; each announcement has an id of its own."""
    assert capsize_witness.announce("started", "t1")
    assert capsize_witness.announce("finished", "t1")
    assert said(ear) == [("started", "t1", "worker-7"), ("finished", "t1", "worker-7")]
    assert {path for path, _ in ear.heard} == {"/events"}
    assert len({body["id"] for _, body in ear.heard}) == 2


def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_id(ear):
    """So the witness can tell the repetition from a second announcement."""
    ear.statuses = [0, 0, 204]
    assert capsize_witness.announce("finished", "t1")
    assert len(ear.heard) == 3
    assert len({body["id"] for _, body in ear.heard}) == 1


def test_a_refusal_is_logged_and_not_repeated(ear, caplog):
    """What the witness does not understand will not be understood the second time."""
    ear.statuses = [400]
    with caplog.at_level(logging.WARNING):
        assert not capsize_witness.announce("started", "t1")
    assert len(ear.heard) == 1
    assert "refused" in caplog.text


def test_a_witness_that_is_away_harms_nobody(monkeypatch, caplog):
    """After a bounded time the announcement is logged and dropped; nothing is raised."""
    with Ear() as gone:
        monkeypatch.setenv("WITNESS_URL", gone.url)
    monkeypatch.setattr(announcing, "TRY_FOR_S", 0.2)
    with caplog.at_level(logging.WARNING):
        assert not capsize_witness.announce("started", "t1")
    assert "was not told" in caplog.text


def test_without_a_witness_nothing_is_sent(monkeypatch):
    """The calls may stay in the code of a service that runs in earnest."""
    monkeypatch.delenv("WITNESS_URL", raising=False)
    monkeypatch.setattr(announcing, "_deliver", lambda *_: pytest.fail("something was sent"))
    assert not capsize_witness.watched()
    assert not capsize_witness.announce("started", "t1")
    with capsize_witness.running("t1"):
        pass


def test_work_is_told_from_its_begin_to_its_end(ear):
    """Finished when it came to its end, failed when it raised; the exception goes on."""
    with capsize_witness.running("good"):
        pass
    with pytest.raises(ZeroDivisionError), capsize_witness.running("bad"):
        raise ZeroDivisionError
    assert [(event, task) for event, task, _ in said(ear)] == [
        ("started", "good"),
        ("finished", "good"),
        ("started", "bad"),
        ("failed", "bad"),
    ]


def test_only_tasks_that_are_asked_for_are_announced(ear, monkeypatch):
    """A library's own housekeeping would be taken for tasks that nobody submitted; a path is known by its end."""
    monkeypatch.setenv("WITNESS_TASKS", "mail,wait")
    for kind in ("mail", "app.tasks.wait", "sweep"):
        with capsize_witness.running(kind, kind=kind):
            pass
    assert {task for _, task, _ in said(ear)} == {"mail", "app.tasks.wait"}


async def test_cancelled_work_was_given_up(ear):
    """A coroutine that is cancelled has neither finished nor failed: it may be begun again elsewhere."""
    import asyncio

    began = asyncio.Event()

    async def work() -> None:
        async with capsize_witness.running_async("t1"):
            began.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await asyncio.wait_for(began.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with capsize_witness.running_async("t2"):
        pass
    assert [(event, task) for event, task, _ in said(ear)] == [
        ("started", "t1"),
        ("abandoned", "t1"),
        ("started", "t2"),
        ("finished", "t2"),
    ]


def test_the_module_needs_nothing_but_python():
    """What a user puts into a worker must not bring capsize's dependencies along."""
    import subprocess
    import sys

    code = (
        "import sys; import capsize_witness;"
        "print([m for m in sys.modules if m.split('.')[0] in ('capsize','msgspec','asyncpg','click')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
