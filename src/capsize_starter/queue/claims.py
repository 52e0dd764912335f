"""What a worker does with tasks: claim, renew, complete, fail, hand back, and take back what others lost."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from capsize_starter import breaker
from capsize_starter.breaker import Admission, BreakerPolicy, Circuit
from capsize_starter.db import Connection, Database, load_queries
from capsize_starter.log import EventLog
from capsize_starter.queue import circuits

SQL = load_queries(Path(__file__).with_name("claims.sql"))

log = EventLog("starter.queue")

STALE = timedelta(seconds=2)
"""A statement that takes so long to be carried out is one that nobody waits for any more."""


class Claimed(msgspec.Struct, frozen=True):
    """A run of a task: `run` counts the task's runs and is the fencing number. `payload` is JSON text."""

    id: UUID
    type: str
    run: int
    payload: str
    attempts: int
    max_attempts: int


class Head(msgspec.Struct, frozen=True):
    """A type that has a due task, what its circuit admits, and whether the circuit has nothing against it."""

    type: str
    admission: Admission
    clean: bool
    seen_at: datetime
    """By the server's clock."""


class Lost(msgspec.Struct, frozen=True):
    """A task that was taken back from a lost worker; `status` is pending, or failed at the limit."""

    id: UUID
    type: str
    runs: int
    status: str
    losses: int
    worker: str | None


class Claims:
    """The worker's operations. Each may raise `db.Unavailable`, and then may or may not have taken effect.

    `complete`, `fail` and `hand_back` are fenced: they do nothing and return False when the run is no longer the
    task's latest or the task no longer runs.
    """

    def __init__(
        self, database: Database, *, worker: str, lease_s: float, losses_max: int, policy: BreakerPolicy
    ) -> None:
        self._db = database
        self._worker = worker
        self._lease_s = lease_s
        self._losses_max = losses_max
        self._policy = policy

    async def peek(self) -> list[Head]:
        """The types that have due tasks, the one with the best task first."""
        heads = []
        for row in await self._db.fetch(SQL.peek):
            circuit = circuits.from_row(row)
            admission = breaker.admit(circuit, row["now"], probing=row["probing"])
            heads.append(Head(row["type"], admission, circuit.clean, row["now"]))
        return heads

    async def claim(self, type: str, limit: int, *, seen_at: datetime | None = None) -> list[Claimed]:
        """Start runs of up to `limit` tasks, each under a lease.

        With `seen_at` the claim is void when the server gets to it more than two seconds after that moment: the
        worker has given it up by then.
        """
        async with self._db.session() as connection:
            return await self._start(connection, type, limit, seen_at and seen_at + STALE)

    async def claim_probe(self, type: str) -> list[Claimed]:
        """Start the one run that a circuit lets through; nothing when another worker was first."""
        async with self._db.transaction() as connection:
            circuit, now, probing = await circuits.lock(connection, type)
            if breaker.admit(circuit, now, probing=probing) is not Admission.PROBE:
                return []
            started = await self._start(connection, type, 1, now + STALE)
            for probe in started:
                await circuits.save(connection, type, breaker.start_probe(circuit, (probe.id, probe.run)))
        return started

    async def refuse(self, type: str) -> int:
        """Dead-letter the due tasks of a type that is not known and open its circuit; returns how many."""
        error = f"UnknownType: no worker knows the task type {type!r}"
        async with self._db.transaction() as connection:
            rows = await connection.fetch(SQL.refuse, type, error, self._worker)
            if rows:
                await circuits.change(
                    connection, type, lambda circuit, now: breaker.opened(circuit, now, self._policy)
                )
        return len(rows)

    async def complete(self, task_id: UUID, run: int, type: str, result: str | None) -> bool:
        """Record a result (JSON text). True also when an earlier try did it whose answer was lost."""
        row = await self._db.fetchrow(SQL.complete, task_id, run, result)
        if row is None:
            return bool(await self._db.fetchval(SQL.completed_by, task_id, run))
        if row["circuit_concerned"]:
            async with self._db.transaction() as connection:
                before, after = await circuits.change(
                    connection, type, lambda circuit, _now: breaker.after_success(circuit, (task_id, run))
                )
            _log_change(type, before, after)
        return True

    async def fail(
        self, task_id: UUID, run: int, error: str, *, delay_s: float | None, blame_type: bool
    ) -> bool:
        """Record a failure: tried again after `delay_s`, or dead-lettered when that is None.

        `blame_type`: the failure counts for the type's circuit too.
        """
        async with self._db.transaction() as connection:
            type = await connection.fetchval(SQL.fail, task_id, run, error, delay_s)
            if type is None:
                return False
            if not blame_type:
                return True
            before, after = await circuits.change(
                connection,
                type,
                lambda circuit, now: breaker.after_failure(circuit, (task_id, run), now, self._policy),
            )
        _log_change(type, before, after)
        return True

    async def hand_back(self, task_id: UUID, run: int) -> bool:
        """Make the task pending again, counted neither as a failure nor as a loss."""
        return await self._db.fetchval(SQL.hand_back, task_id, run) is not None

    async def renew(self, held: list[tuple[UUID, int]]) -> set[UUID]:
        """Renew the leases of these runs; returns the tasks whose run is still ours."""
        rows = await self._db.fetch(
            SQL.renew, [task for task, _ in held], [run for _, run in held], self._lease_s
        )
        return {row["id"] for row in rows}

    async def reap(self) -> list[Lost]:
        """Take back the tasks of all workers whose lease is over."""
        now: datetime = await self._db.fetchval(SQL.server_time)
        return [Lost(**row) for row in await self._db.fetch(SQL.reap, self._losses_max, now + STALE)]

    async def _start(
        self, connection: Connection, type: str, limit: int, before: datetime | None
    ) -> list[Claimed]:
        rows = await connection.fetch(SQL.claim, type, limit, self._worker, self._lease_s, before)
        return [
            Claimed(row["id"], row["type"], row["runs"], row["payload"], row["attempts"], row["max_attempts"])
            for row in rows
        ]


def _log_change(type: str, before: Circuit, after: Circuit) -> None:
    if before.state != after.state:
        log.warning(f"circuit.{after.state}", type=type, failures=after.failures)
