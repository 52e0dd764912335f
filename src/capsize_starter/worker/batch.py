"""Carries out batches of a proven fast type inside the transaction that locks them."""

import asyncio
import time

from capsize_starter.db import Database, Unavailable
from capsize_starter.log import EventLog
from capsize_starter.queue import Batch, open_batch
from capsize_starter.settings import WorkerSettings
from capsize_starter.worker.keeper import Running
from capsize_starter.worker.lease import Lease, lease_clock
from capsize_starter.worker.outcome import Abandoned, Completed, Failed, Outcome, attempt
from capsize_starter.worker.runner import Tools, conclude, outcome_of

log = EventLog("starter.worker")

OVERRUN_S = 0.1
"""A handler that is still busy after so long turns its task into an ordinary run with a lease."""
CHAIN_S = 0.1
"""Full batches follow each other for so long before other types are looked at again."""
STATEMENT_S = 1.5


class BatchRunner:
    """One type's batches, one after the other, in one slot of the worker."""

    def __init__(
        self, tools: Tools, database: Database, settings: WorkerSettings, stopping: asyncio.Event
    ) -> None:
        self._tools = tools
        self._database = database
        self._settings = settings
        self._stopping = stopping

    async def open(self, type: str, limit: int) -> "OpenBatch | None":
        """Lock a batch; None when no task of the type is free."""
        asked_at = lease_clock()
        batch = await open_batch(
            self._database, type, limit, worker=self._settings.worker_id, timeout_s=STATEMENT_S
        )
        if batch is None:
            return None
        return OpenBatch(batch, Lease(asked_at, self._settings.lease_s), full=len(batch.tasks) == limit)

    async def run(self, current: "OpenBatch | None", type: str) -> None:
        """Carry out an opened batch, and further ones while they are full and it isn't another type's turn."""
        until = time.monotonic() + CHAIN_S
        try:
            while current is not None:
                more = await self._run_one(current)
                size = self._tools.pace.batch(type)
                if not more or not size or self._stopping.is_set() or time.monotonic() > until:
                    return
                current = await self.open(type, size)
        except Unavailable as error:
            log.warning("batch.lost", type=type, error=str(error))
        except Exception:
            log.exception("batch.broken", type=type)

    async def _run_one(self, current: "OpenBatch") -> bool:
        """Handle, record and commit one batch; whether it is worth going on at once."""
        began = time.perf_counter()
        work = asyncio.create_task(self._work(current))
        try:
            await asyncio.wait({work}, timeout=OVERRUN_S)
            current.closed = True
            if not current.lease.held():
                raise Unavailable("the batch's lease is over")
            overrun = None if work.done() else len(current.outcomes)
            settled = await self._commit(current, overrun)
        except BaseException:
            work.cancel()
            current.drop()
            raise
        if overrun is not None:
            settled.append(self._as_run(current, overrun))
            settled[-1].handler = work
        elif current.results:
            self._tools.pace.succeeded(
                current.batch.tasks[0].type, time.perf_counter() - began, len(current.results)
            )
        await asyncio.gather(*(self._conclude(current, running) for running in settled))
        return current.full and not settled

    async def _work(self, current: "OpenBatch") -> Outcome:
        """Handle task after task until the batch is done or closed; returns the last outcome."""
        tools, lease = self._tools, current.lease
        tasks = current.batch.tasks
        handler = tools.handlers[tasks[0].type]
        stop_at = time.perf_counter() + 2 * self._settings.batch_s
        outcome: Outcome = Abandoned("nothing was done")
        for claimed in tasks:
            outcome = await attempt(handler, claimed.payload, tools.context(claimed, lease))
            if current.closed:  # committed without this one, which has its own lease now
                break
            current.outcomes.append(outcome)
            if isinstance(outcome, Completed):
                current.results.append((len(current.outcomes) - 1, outcome.result))
            else:
                break
            if time.perf_counter() > stop_at or self._stopping.is_set():
                break
        return outcome

    async def _commit(self, current: "OpenBatch", overrun: int | None) -> list[Running]:
        """Commit the results; a failed task and one that is still busy become runs with a lease."""
        failed = [index for index, outcome in enumerate(current.outcomes) if isinstance(outcome, Failed)]
        leased = failed if overrun is None else [*failed, overrun]
        if leased:
            self._tools.pace.failed(current.batch.tasks[0].type)
        asked_at = lease_clock()
        current.committed = True
        await current.batch.commit(current.results, leased, self._settings.lease_s, STATEMENT_S)
        current.lease.renewed(asked_at, self._settings.lease_s)
        return [self._as_run(current, index) for index in failed]

    def _as_run(self, current: "OpenBatch", index: int) -> Running:
        """A task of the batch as a run of its own. The lease object is shared: its handler already looks at it."""
        running = Running(current.batch.tasks[index], current.lease)
        self._tools.keeper.add(running)
        return running

    async def _conclude(self, current: "OpenBatch", running: Running) -> None:
        try:
            if running.handler is not None:
                outcome = await outcome_of(running, running.handler)
            else:
                outcome = current.outcomes[-1]
            await conclude(self._tools, running, outcome)
        finally:
            self._tools.keeper.remove(running)


class OpenBatch:
    """A locked batch and what has come of it so far."""

    def __init__(self, batch: Batch, lease: Lease, *, full: bool) -> None:
        self.batch = batch
        self.lease = lease
        self.full = full
        self.outcomes: list[Outcome] = []
        self.results: list[tuple[int, str | None]] = []
        self.closed = False
        self.committed = False

    def drop(self) -> None:
        """Free the locks unless the commit was begun, which frees them itself."""
        if not self.committed:
            self.batch.abort()
