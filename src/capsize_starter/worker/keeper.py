"""Keeps the leases of this worker's runs, and takes back those that other workers lost."""

import asyncio
from uuid import UUID

from capsize_starter.db import Unavailable
from capsize_starter.log import EventLog
from capsize_starter.queue import Claimed, Claims
from capsize_starter.settings import WorkerSettings
from capsize_starter.worker.lease import Lease, lease_clock
from capsize_starter.worker.outcome import Outcome

log = EventLog("starter.worker")

RETRY_S = 0.2
REAP_GRACE_S = 1.0


class Running:
    """A run under a lease. Its handler is cancelled the moment the lease is lost, until it is being settled."""

    def __init__(self, claimed: Claimed, lease: Lease) -> None:
        self.claimed = claimed
        self.lease = lease
        self.handler: asyncio.Task[Outcome] | None = None
        self.settling = False
        """The effect is done or given up, and only its record is missing: that is fenced, so it may go on trying."""
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Give the run up by this process's own clock when its deadline passes without a renewal."""
        if self.settling or self.lease.lost is not None:
            return
        left_s = self.lease.deadline - lease_clock()
        if left_s <= 0:
            self.lose("the lease could not be renewed in time")
        else:
            self._timer = asyncio.get_running_loop().call_later(left_s, self.watch)

    def lose(self, reason: str) -> None:
        """Give the run up; without effect once it is being settled."""
        if self.settling or self.lease.lost is not None:
            return
        self.lease.lost = reason
        if self.handler is not None:
            self.handler.cancel()

    def over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Keeper:
    """Heartbeats for all runs in one statement, and the reaping of leases that are over."""

    def __init__(self, claims: Claims, settings: WorkerSettings) -> None:
        self._claims = claims
        self._settings = settings
        self._running: dict[UUID, Running] = {}

    def add(self, running: Running) -> None:
        self._running[running.claimed.id] = running
        running.watch()

    def remove(self, running: Running) -> None:
        running.over()
        if self._running.get(running.claimed.id) is running:
            del self._running[running.claimed.id]

    def cancelled(self, task_id: UUID, run: int) -> None:
        """A task was cancelled on request; give up its run if it is here."""
        running = self._running.get(task_id)
        if running is not None and running.claimed.run == run:
            running.lose("the task was cancelled")

    def lose_all(self, reason: str) -> None:
        for running in list(self._running.values()):
            running.lose(reason)

    async def keep(self) -> None:
        """Renew all leases at every heartbeat until cancelled."""
        while True:
            pause_s = self._settings.heartbeat_s
            try:
                await self._renew()
            except Unavailable as error:
                log.warning("heartbeat.failed", error=str(error), runs=len(self._running))
                pause_s = min(RETRY_S, pause_s)
            except Exception:
                log.exception("heartbeat.failed")
            await asyncio.sleep(pause_s)

    async def _renew(self) -> None:
        runs = list(self._running.values())
        if not runs:
            return
        asked_at = lease_clock()
        ours = await self._claims.renew([(running.claimed.id, running.claimed.run) for running in runs])
        for running in runs:
            if running.claimed.id in ours:
                running.lease.renewed(asked_at, self._settings.lease_s)
            else:
                running.lose("the task was cancelled or taken over")

    async def reap(self) -> None:
        """Take back what lost workers held, at every interval, until cancelled.

        After an outage of the database nobody could renew, and workers that are alive may still have results to
        record; so the first look after one comes a moment later.
        """
        while True:
            pause_s = self._settings.reap_s
            try:
                for lost in await self._claims.reap():
                    log.warning(
                        "task.lost", task=lost.id, type=lost.type, run=lost.runs, losses=lost.losses,
                        status=lost.status, lost_worker=lost.worker,
                    )  # fmt: skip
            except Unavailable:
                await self._wait_until_back()
                pause_s = REAP_GRACE_S
            except Exception as error:  # a missing table, for instance: somebody has to migrate
                log.error("reap.failed", error=f"{type(error).__name__}: {error}")
                pause_s = max(pause_s, REAP_GRACE_S)
            await asyncio.sleep(pause_s)

    async def _wait_until_back(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                await self._claims.peek()
            except Exception:  # whatever it is, the reaping above will meet and report it
                continue
            return
