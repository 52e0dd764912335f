"""What the tests of the resource faults need: the machine's abilities, and services that tell what they see."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from capsize.core.clock import MonotonicClock
from capsize.core.platform import Preparation, Ready, Service
from capsize.platforms.local import LocalPlatform
from support.engines import missing

VIEW = str(Path(__file__).with_name("tiny_view.py"))


def need(ability: type) -> None:
    """Skip, or fail in CI, unless this machine has an ability."""
    platform = LocalPlatform(Path(), lambda event: None, MonotonicClock(), {})
    if why := platform.lacks(ability):
        missing(why)


def view(*prepared: Preparation, replicas: int = 2) -> Service:
    """Return an API whose instances tell what they see."""
    return Service(
        name="api",
        role="api",
        command=(sys.executable, VIEW, "{port}", "{data}"),
        replicas=replicas,
        port=0,
        ready=Ready(http="/", limit_s=20.0),
        prepared=prepared,
    )


def program(text: str, **more: Any) -> Service:
    """Return a worker that runs some lines of Python, ready when they print ``worker.ready``."""
    return Service(
        name="worker",
        role="worker",
        command=(sys.executable, "-u", "-c", text),
        ready=Ready(log="worker.ready", limit_s=20.0),
        **more,
    )


async def see(
    platform: LocalPlatform, instance: str, path: str = "/", limit_s: float = 20.0
) -> dict[str, Any]:
    """Ask an instance what it sees. Raises TimeoutError and OSError."""
    return await ask_at(next(i.port for i in platform.instances() if i.name == instance), path, limit_s)


async def ask_at(port: int | None, path: str, limit_s: float = 20.0) -> dict[str, Any]:
    """Ask whoever listens on a port what it sees."""
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
    if not answer:
        raise ConnectionError("no answer")
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


async def share(pid: int, over_s: float = 1.0) -> float:
    """Return how many cores a process has had over a stretch of time."""
    process, began = psutil.Process(pid), time.monotonic()
    before = process.cpu_times()
    await asyncio.sleep(over_s)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - began)
