"""The worker process: puts its parts together, runs until it is told to stop, and stops in order."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from capsize_starter.breaker import BreakerPolicy
from capsize_starter.db import Database, Listener
from capsize_starter.handlers import HANDLERS, Handler
from capsize_starter.handlers.http import HttpClient
from capsize_starter.log import EventLog
from capsize_starter.queue import Claims
from capsize_starter.retry import RetryPolicy
from capsize_starter.settings import DatabaseSettings, QueueSettings, WorkerSettings
from capsize_starter.worker.batch import BatchRunner
from capsize_starter.worker.dispatcher import Dispatcher
from capsize_starter.worker.keeper import Keeper
from capsize_starter.worker.pace import Pace
from capsize_starter.worker.runner import Tools
from capsize_starter.worker.witness import Witness

log = EventLog("starter.worker")

HAND_BACK_S = 3.0


class Worker:
    """One worker. `run` returns after `stop` was called and everything is finished or handed back."""

    def __init__(
        self,
        worker: WorkerSettings,
        queue: QueueSettings,
        database: DatabaseSettings,
        *,
        handlers: dict[str, Handler] | None = None,
    ) -> None:
        self._settings = worker
        self._stopping = asyncio.Event()
        self._database = Database(database, name=worker.worker_id[:60], options=_server_options(worker))
        claims = Claims(
            self._database,
            worker=worker.worker_id,
            lease_s=worker.lease_s,
            losses_max=queue.losses_max,
            policy=BreakerPolicy(queue.breaker_failures, queue.breaker_open_s),
        )
        self._keeper = Keeper(claims, worker)
        self._tools = Tools(
            claims=claims,
            keeper=self._keeper,
            witness=Witness(worker.witness_url, worker.worker_id),
            pace=Pace(batch_s=worker.batch_s, batch_max=worker.batch_max),
            retry=RetryPolicy(queue.retry_base_s, queue.retry_max_s),
            handlers=HANDLERS if handlers is None else handlers,
            files_root=Path(worker.files_root),
            http=HttpClient(keep_alive=False),
            gave_up=asyncio.Event(),
        )
        batches = BatchRunner(self._tools, self._database, worker, self._stopping)
        self._dispatcher = Dispatcher(self._tools, batches, worker, self._stopping)

    def stop(self) -> None:
        """Claim no more, finish within the grace period or hand back, and end."""
        if not self._stopping.is_set():
            log.info("worker.stopping", worker=self._settings.worker_id)
        self._stopping.set()
        self._dispatcher.wake()

    async def run(self) -> None:
        """Work until stopped."""
        listener = Listener(
            self._database, ("starter_tasks", "starter_cancelled"), self._notified, self._dispatcher.wake
        )
        helpers = [
            asyncio.create_task(work) for work in (self._keeper.keep(), self._keeper.reap(), listener.run())
        ]
        try:
            await self._dispatcher.dispatch()
            await self._finish()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._tools.witness.close()
            await self._database.close()
        log.info("worker.stopped", worker=self._settings.worker_id)

    async def _finish(self) -> None:
        """Give the runs under way their time, then take it from them and hand them back."""
        await self._dispatcher.drain(self._settings.grace_s)
        self._keeper.lose_all("the worker is stopping")
        await self._dispatcher.drain(HAND_BACK_S)
        self._tools.gave_up.set()
        await self._dispatcher.drain(HAND_BACK_S)

    def _notified(self, channel: str, payload: str) -> None:
        if channel == "starter_tasks":
            self._dispatcher.wake(payload)
            return
        task, _, run = payload.partition(" ")
        with suppress(ValueError):
            self._keeper.cancelled(UUID(task), int(run))


async def serve(worker: Worker) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()


def _server_options(settings: WorkerSettings) -> dict[str, str]:
    """Server settings of a worker's sessions."""
    return {
        # The lock of a frozen worker's batch must end when a lease would.
        "idle_in_transaction_session_timeout": f"{int(settings.lease_s * 1000)}ms",
        # A queue's table changes faster than it is analyzed; its statements are made for its indexes.
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
        "plan_cache_mode": "force_generic_plan",
    }
