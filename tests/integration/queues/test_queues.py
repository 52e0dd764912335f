"""Task queues for real: their own workers, a broker, and what the witness hears of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from capsize.core.clock import MonotonicClock
from capsize.core.events import Event, Witnessed
from capsize.load.http import HttpClient
from capsize.load.witness import Witness
from capsize.platforms.choose import make_platform
from capsize.systems.queue import LIBRARIES, QueueService
from support.guards import RecordingGuard

LIMIT_S = 60.0
pytestmark = [pytest.mark.timeout(180), pytest.mark.queues]


@pytest.mark.parametrize("library", LIBRARIES)
async def test_the_hook_announces_each_run_from_begin_to_record(library, python_of, tmp_path):
    """Two tasks, each started, finished and recorded once, by a worker of the platform's name; housekeeping is not told."""
    system = QueueService(library, "safe", python=python_of(library))
    events: list[Event] = []
    clock = MonotonicClock()
    async with Witness(events.append, clock) as witness:
        platform = make_platform(
            "local",
            directory=tmp_path,
            record=events.append,
            clock=clock,
            fields={"witness_url": witness.url},
            guard=RecordingGuard(),
        )
        try:
            await platform.up(system.services({"worker": 1}, {}))
            async with HttpClient.to(platform.api_url, clock) as client:
                tasks = [await _submitted(system, client) for _ in range(2)]
                await asyncio.wait_for(_recorded(events, tasks), LIMIT_S)
                reported = await system.audit(client.send, (), tasks)
        finally:
            await platform.down()
    heard = [event for event in events if isinstance(event, Witnessed)]
    for task in tasks:
        said = [(event.event, event.attempt, event.worker) for event in heard if event.task == task]
        assert said == [(what, 1, "worker-1") for what in ("started", "finished", "recorded")]
    assert {event.task for event in heard} == set(tasks)
    assert {one.status for one in reported} == {"completed"}


async def _submitted(system: QueueService, client: HttpClient) -> str:
    exchange = await client.send(system.submit(system.delay_order(0.05, "key"), ()), 20.0)
    outcome, task = system.submitted(exchange)
    assert outcome == "ok", exchange
    assert task is not None
    return task


async def _recorded(events: list[Event], tasks: list[str]) -> None:
    while True:
        done = {event.task for event in events if isinstance(event, Witnessed) and event.event == "recorded"}
        if done >= set(tasks):
            return
        await asyncio.sleep(0.05)


def card(python: str, folder: Path, *words: str) -> tuple[int, dict[str, object]]:
    """Run ``capsize queue`` and return its exit code and its card."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "capsize", "queue", *words, "--python", python, "--breaks", "workers"]
    done = subprocess.run(
        [*command, "--card", str(folder / "card.json"), "--output", str(folder / "runs")],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (folder / "card.json").exists(), done.stdout + done.stderr
    return done.returncode, json.loads((folder / "card.json").read_bytes())


def test_a_queue_that_hands_out_and_forgets_is_found_out(python_of, tmp_path):
    """Huey takes a task from its queue before it runs it: a killed worker's task is lost."""
    code, found = card(python_of("huey"), tmp_path, "huey", "--seed", "1", "--wait", "5")
    (row,) = found["workers"]
    assert code == 1
    assert row["lost"] == row["strikes"] == 2
    assert row["redelivered"] == 0


def test_a_queue_that_keeps_its_promise_is_not_accused(python_of, tmp_path):
    """PgQueuer with short heartbeats gives a dead worker's tasks to the next one."""
    code, found = card(python_of("pgqueuer"), tmp_path, "pgqueuer", "--config", "safe", "--seed", "1")
    (row,) = found["workers"]
    assert code == 0, row
    assert [row[name] for name in ("lost", "stuck", "duplicate", "overlap")] == [0, 0, 0, 0]
    assert row["redelivered"] >= 2
