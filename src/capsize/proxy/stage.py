"""One toxic at work on one direction of one connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from capsize.proxy.attached import Attached
    from capsize.proxy.flow import Flow

HELD_BYTES_MAX = 256 * 1024
HELD_BYTES_RESUME = 32 * 1024
HELD_BYTES_TOTAL_MAX = 256 * 1024 * 1024


class Stage:
    """Takes bytes, the half-close and the reset of a source, and passes them on: later, in part or never.

    ``send``, ``send_eof`` and ``send_lost`` lead to the next stage or to the other side; the flow sets them.
    A stage uses timers and no task, so that nothing is left when its connection is over.
    """

    send: Callable[[bytes], None]
    send_eof: Callable[[], None]
    send_lost: Callable[[], None]

    def __init__(self, flow: Flow, attached: Attached, draw: random.Random) -> None:
        self.flow, self.attached, self.draw = flow, attached, draw
        self._timer: asyncio.TimerHandle | None = None

    @property
    def toxic(self) -> Any:
        """Return the toxic's configuration as of now."""
        return self.attached.toxic

    def begin(self) -> None:
        """Start working; called when the stage is in its place."""

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self.send(data)

    def eof(self) -> None:
        """Take the half-close; nothing is fed after it."""
        self.send_eof()

    def lost(self) -> None:
        """Take the news that the source was reset."""
        self.send_lost()

    def changed(self) -> None:
        """Apply a changed configuration to what is held."""

    def end(self) -> None:
        """Pass on all that is held, in order: the toxic was removed."""

    def stop(self) -> None:
        """Forget everything: the connection is over."""
        self.cancel()

    def hit(self) -> None:
        """Count one effect of the toxic."""
        self.attached.hits += 1

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something later, once; takes the place of what was to be done before."""
        self.cancel()
        self._timer = self.flow.loop.call_later(max(0.0, seconds), what)

    def cancel(self) -> None:
        """Drop what was to be done later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Chunk(NamedTuple):
    """Bytes as they were read, when (monotonic seconds), and a number in [0, 1) drawn for them."""

    data: bytes
    arrived: float
    drawn: float


class Piece(NamedTuple):
    """How much of the first chunk may go, and when (monotonic seconds; infinity: not before a change)."""

    size: int
    at: float


class Holding(Stage):
    """A stage that keeps chunks in a queue and releases the first one, or a part of it, at its time."""

    held_max = HELD_BYTES_MAX

    def __init__(self, flow: Flow, attached: Attached, draw: random.Random) -> None:
        super().__init__(flow, attached, draw)
        self._chunks: deque[Chunk] = deque()
        self._held = 0
        self._ended = False

    def piece(self, first: Chunk, now: float) -> Piece:
        """Tell what goes next of the first chunk; called again when that has gone, and after every change."""
        raise NotImplementedError

    def sent(self, first: Chunk, size: int, now: float) -> None:
        """Note that a piece of the first chunk has gone."""

    def feed(self, data: bytes) -> None:
        """Queue the bytes."""
        self._chunks.append(Chunk(data, time.monotonic(), self.draw.random()))
        self._keep(len(data))
        if len(self._chunks) == 1:
            self._pump()

    def eof(self) -> None:
        """Keep the half-close behind what is queued."""
        if self._chunks:
            self._ended = True
        else:
            self.send_eof()

    def changed(self) -> None:
        """Plan the first chunk anew."""
        if self._chunks:
            self._pump()

    def end(self) -> None:
        """Pass on everything in order."""
        self.cancel()
        while self._chunks:
            chunk = self._chunks.popleft()
            self._keep(-len(chunk.data))
            self.send(chunk.data)
        self.flow.resume(self)
        if self._ended:
            self._ended = False
            self.send_eof()

    def stop(self) -> None:
        """Forget what is queued."""
        super().stop()
        self._chunks.clear()
        self._keep(-self._held)

    def _pump(self) -> None:
        self.cancel()
        while self._chunks:
            now = time.monotonic()
            first = self._chunks[0]
            size, at = self.piece(first, now)
            if at > now:
                # An infinite wait needs no timer: the next change plans anew.
                if at != float("inf"):
                    self.after(at - now, self._pump)
                return
            self._release(first, size, now)
        if self._ended:
            self._ended = False
            self.send_eof()

    def _release(self, first: Chunk, size: int, now: float) -> None:
        if size < len(first.data):
            self._chunks[0] = first._replace(data=first.data[size:])
            data = first.data[:size]
        else:
            self._chunks.popleft()
            data = first.data
        self._keep(-len(data))
        self.sent(first, len(data), now)
        self.send(data)

    def _keep(self, change: int) -> None:
        budget = self.flow.budget
        budget.held += change
        self._held += change
        full = self._held > self.held_max or (
            budget.held > HELD_BYTES_TOTAL_MAX and self._held > HELD_BYTES_RESUME
        )
        if full:
            self.flow.pause(self)
        elif self._held <= HELD_BYTES_RESUME or (change < 0 and self._held <= self.held_max // 2):
            self.flow.resume(self)
