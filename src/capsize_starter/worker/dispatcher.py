"""Claims work for free slots: looks, claims, starts; sleeps until it is woken or it is time to look again."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from capsize_starter.breaker import Admission
from capsize_starter.db import Unavailable
from capsize_starter.log import EventLog
from capsize_starter.queue import Claimed, Head
from capsize_starter.settings import WorkerSettings
from capsize_starter.worker.batch import BatchRunner
from capsize_starter.worker.keeper import Running
from capsize_starter.worker.lease import Lease, lease_clock
from capsize_starter.worker.runner import Tools, run

log = EventLog("starter.worker")

BACKOFF_MAX_S = 0.5
BATCHES_MAX = 4
"""Each open batch takes a connection."""
LET_GO = 3
"""Turns of the event loop given to what was started, so that its handler begins before the next look is sent."""


class Dispatcher:
    """Fills the worker's slots. A claim takes no more tasks than can start at once, so none waits claimed."""

    def __init__(
        self, tools: Tools, batches: BatchRunner, settings: WorkerSettings, stopping: asyncio.Event
    ) -> None:
        self._tools = tools
        self._batches = batches
        self._settings = settings
        self._stopping = stopping
        self._wake = asyncio.Event()
        self._freed = asyncio.Event()
        self._active: set[asyncio.Task[None]] = set()
        self._open_batches = 0
        self._ready = False
        self._hint = ""

    def wake(self, type: str = "") -> None:
        """There may be work, perhaps of this type, or a reason to stop."""
        self._hint = type
        self._wake.set()
        self._freed.set()

    async def dispatch(self) -> None:
        """Claim and start until the worker stops."""
        backoff_s = 0.05
        idle = False
        while not self._stopping.is_set():
            if len(self._active) >= self._settings.concurrency:
                self._freed.clear()
                await self._freed.wait()
                continue
            self._wake.clear()
            hint, self._hint = self._hint, ""
            try:
                found = await self._claim(hint if idle else "")
                idle = not found
                self._announce_ready()
                backoff_s = 0.05
            except Exception as error:
                self._report(error)
                await asyncio.sleep(backoff_s * (0.5 + 0.5 * random.random()))
                backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
                continue
            if not found:
                await self._wait()
                continue
            for _ in range(LET_GO):
                await asyncio.sleep(0)

    async def drain(self, grace_s: float) -> None:
        """Wait for the runs under way, at most so long."""
        if self._active:
            await asyncio.wait(self._active, timeout=grace_s)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._settings.reap_s):
                await self._wake.wait()
        except TimeoutError:
            pass  # a notification may have been lost; look

    async def _claim(self, hint: str) -> bool:
        """Start something for the free slots; False when there is nothing to start."""
        # Only a worker that had nothing to do may skip the look around: else the type would jump the queue.
        if hint and (size := self._batch_size(hint)) and await self._start_batch(hint, size):
            return True
        for head in await self._tools.claims.peek():
            if self._stopping.is_set():
                return False
            if head.type not in self._tools.handlers:
                refused = await self._tools.claims.refuse(head.type)
                if refused:
                    log.warning("task.refused", type=head.type, tasks=refused)
                    return True
            elif head.admission is not Admission.NONE and await self._start(head):
                return True
        return False

    async def _start(self, head: Head) -> bool:
        asked_at = lease_clock()
        if head.admission is Admission.PROBE:
            return self._start_runs(await self._tools.claims.claim_probe(head.type), asked_at)
        if head.clean and (size := self._batch_size(head.type)):
            return await self._start_batch(head.type, size)
        free = self._settings.concurrency - len(self._active)
        return self._start_runs(
            await self._tools.claims.claim(head.type, free, seen_at=head.seen_at), asked_at
        )

    def _batch_size(self, type: str) -> int:
        # The witness is to see each run begin and end, with a number that never repeats: only leases give that.
        if self._tools.witness.present or self._open_batches >= BATCHES_MAX:
            return 0
        return self._tools.pace.batch(type)

    async def _start_batch(self, type: str, size: int) -> bool:
        batch = await self._batches.open(type, size)
        if batch is None:
            return False
        self._open_batches += 1
        self._spawn(self._batches.run(batch, type), is_batch=True)
        return True

    def _start_runs(self, claimed: list[Claimed], asked_at: float) -> bool:
        for item in claimed:
            running = Running(item, Lease(asked_at, self._settings.lease_s))
            self._tools.keeper.add(running)
            self._spawn(run(self._tools, running), is_batch=False)
        return bool(claimed)

    def _spawn(self, work: Coroutine[Any, Any, None], *, is_batch: bool) -> None:
        task = asyncio.create_task(work)
        self._active.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._active.discard(done)
            self._open_batches -= is_batch
            self._freed.set()
            if not done.cancelled() and (error := done.exception()):
                log.error("run.broken", error=repr(error))

        task.add_done_callback(ended)

    def _announce_ready(self) -> None:
        if not self._ready:
            self._ready = True
            log.info("worker.ready", worker=self._settings.worker_id, concurrency=self._settings.concurrency)

    def _report(self, error: Exception) -> None:
        if isinstance(error, Unavailable):
            log.warning("claim.waiting", error=str(error))
        else:  # a missing table, for instance: somebody has to migrate
            log.error("claim.failed", error=f"{type(error).__name__}: {error}")
