"""What the engine says of a run's containers, as it happens, on the run's clock."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from capsize.core.clock import Clock
from capsize.platforms.docker.engine import Engine, EngineError, spoken
from capsize.platforms.docker.marks import INSTANCE

AGE_MAX_S = 5.0
"""A stamp that seems older comes from a clock that is not ours: a virtual machine's, perhaps."""


class News(msgspec.Struct, frozen=True):
    """One thing that happened to an instance's container. ``t`` is in seconds of the run, ``code`` an exit code."""

    instance: str
    what: str
    t: float
    code: int | None = None


class Wire:
    """Follows the engine's events of one label in a thread and hands each over in the event loop."""

    def __init__(self, engine: Engine, label: str, clock: Clock, hear: Callable[[News], None]) -> None:
        self._engine, self._label, self._clock, self._hear = engine, label, clock, hear
        self._loop = asyncio.get_running_loop()
        self._stream: Any = None
        self._thread = threading.Thread(target=self._follow, name="docker events", daemon=True)

    async def open(self) -> None:
        """Begin; events from now on are heard. Raises EngineError."""
        filters = {"label": self._label, "type": "container", "event": ["start", "die", "oom"]}
        events = self._engine.client.events
        self._stream = await self._engine.ask(events, decode=True, filters=filters)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(Exception):
                stream.close()

    def _follow(self) -> None:
        stream = self._stream
        with suppress(EngineError, OSError, ValueError, AttributeError, RuntimeError):
            spoken(self._read, stream)

    def _read(self, stream: Any) -> None:
        for event in stream:
            age_s = min(max(time.time() - event["timeNano"] / 1e9, 0.0), AGE_MAX_S)
            marks = event["Actor"]["Attributes"]
            if INSTANCE not in marks:
                # A helper of ours: no instance.
                continue
            code = int(marks["exitCode"]) if event["Action"] == "die" else None
            news = News(marks[INSTANCE], event["Action"], self._clock.now() - age_s, code)
            self._loop.call_soon_threadsafe(self._hear, news)


def signalled(code: int) -> int:
    """Return an exit code with a signal as a negative number. An engine adds 128 to a signal, as shells do."""
    return -(code - 128) if 128 < code <= 128 + 64 else code
