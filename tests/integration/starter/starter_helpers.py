"""What the starter's tests share: workers as real processes, and waiting for what must happen."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from capsize_starter.queue import NewTask, Queue

LIMIT_S = 60.0


class WorkerProcess:
    """A real `capsize-starter worker` and the events it logged."""

    def __init__(self, url: str, name: str, folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "capsize_starter", "worker"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ, "DATABASE_URL": url, "WORKER_ID": name,
                    "STARTER_FILES_ROOT": str(folder / "files"), **env,
                },
            )  # fmt: skip

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines()
        return [line for line in map(_parse, lines) if line.get("event") == name]

    async def ready(self) -> "WorkerProcess":
        await until(lambda: self.events("worker.ready"), why=f"{self.name} is ready: {self._log.read_text()}")
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.kill()


def _parse(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


async def until(condition: Callable[[], Any], *, why: str, limit_s: float = LIMIT_S) -> Any:
    """Wait until a condition (plain or async) holds and return its value."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"never happened: {why}"
        await asyncio.sleep(0.02)


async def status_is(queue: Queue, task: UUID, status: str) -> Any:
    """Wait until a task has a status and return the task."""

    async def look() -> Any:
        found = await queue.get(task)
        return found if found.status == status else None

    return await until(look, why=f"{task} is {status}: {await queue.get(task)}")


def delay(seconds: float, **more: Any) -> NewTask:
    return NewTask(type="delay", payload={"seconds": seconds}, **more)
