"""Carries out one run under a lease: announce, handle, record."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from capsize_starter.db import Unavailable
from capsize_starter.handlers import Context, Handler
from capsize_starter.handlers.http import HttpClient
from capsize_starter.log import EventLog
from capsize_starter.queue import Claimed, Claims
from capsize_starter.retry import Again, RetryPolicy
from capsize_starter.worker.keeper import Keeper, Running
from capsize_starter.worker.lease import Lease
from capsize_starter.worker.outcome import Abandoned, Completed, Failed, Outcome, attempt
from capsize_starter.worker.pace import Pace
from capsize_starter.worker.witness import Witness

log = EventLog("starter.worker")

BACKOFF_MAX_S = 0.5


@dataclass(frozen=True)
class Tools:
    """What every run of a worker shares."""

    claims: Claims
    keeper: Keeper
    witness: Witness
    pace: Pace
    retry: RetryPolicy
    handlers: dict[str, Handler]
    files_root: Path
    http: HttpClient
    gave_up: asyncio.Event
    """Set when the worker must end now, even with results that could not be recorded."""

    def context(self, claimed: Claimed, lease: Lease) -> Context:
        return Context(claimed.id, claimed.run, lease.check, self.files_root, self.http)


async def run(tools: Tools, running: Running) -> None:
    """Take a claimed run from its announcement to its record; the keeper knows it already."""
    claimed = running.claimed
    try:
        await tools.witness.announce("started", claimed.id, claimed.run)
        began = time.perf_counter()
        outcome = await _handle(tools, running)
        if isinstance(outcome, Completed):
            tools.pace.succeeded(claimed.type, time.perf_counter() - began)
        await conclude(tools, running, outcome)
    except Exception:
        # Nothing is known of the record; the lease runs out and the task is taken back.
        log.exception("run.broken", task=claimed.id, type=claimed.type, run=claimed.run)
    finally:
        tools.keeper.remove(running)


async def _handle(tools: Tools, running: Running) -> Outcome:
    claimed, lease = running.claimed, running.lease
    if not lease.held():
        return Abandoned(lease.lost or "the lease was over before the start")
    context = tools.context(claimed, lease)
    running.handler = asyncio.create_task(attempt(tools.handlers[claimed.type], claimed.payload, context))
    return await outcome_of(running, running.handler)


async def outcome_of(running: Running, handler: asyncio.Task[Outcome]) -> Outcome:
    """Wait for a handler's task, however it ends."""
    await asyncio.wait({handler})
    if handler.cancelled():
        lost = running.lease.lost
        return Abandoned(lost) if lost else Failed("CancelledError: the handler cancelled itself")
    return handler.result()


async def conclude(tools: Tools, running: Running, outcome: Outcome) -> None:
    """Record what came of a run and announce it."""
    claimed = running.claimed
    if isinstance(outcome, Completed) and not running.lease.held():
        outcome = Abandoned(running.lease.lost or "the lease was over before the result could be recorded")
    running.settling = True
    match outcome:
        case Completed(result):
            await _completed(tools, running, result)
        case Failed():
            tools.pace.failed(claimed.type)
            await _failed(tools, claimed, outcome)
        case Abandoned(reason):
            log.warning("run.abandoned", task=claimed.id, type=claimed.type, run=claimed.run, reason=reason)
            await tools.witness.announce("abandoned", claimed.id, claimed.run)
            await _settle(tools, lambda: tools.claims.hand_back(claimed.id, claimed.run))


async def _completed(tools: Tools, running: Running, result: str) -> None:
    claimed = running.claimed
    task, number = claimed.id, claimed.run
    await tools.witness.announce("finished", task, number, still=running.lease.held)
    recorded = await _settle(tools, lambda: tools.claims.complete(task, number, claimed.type, result))
    if not recorded:
        log.warning("run.refused", task=task, type=claimed.type, run=number)
    await tools.witness.announce("recorded" if recorded else "abandoned", task, number)


async def _failed(tools: Tools, claimed: Claimed, failed: Failed) -> None:
    task, number = claimed.id, claimed.run
    decision = tools.retry.decide(
        failed_attempts=claimed.attempts + 1,
        max_attempts=claimed.max_attempts,
        permanent=failed.permanent,
        jitter=random.random(),
    )
    delay_s = decision.delay_s if isinstance(decision, Again) else None
    log.warning(
        "run.failed", task=task, type=claimed.type, run=number, error=failed.error, again_in_s=delay_s
    )
    await tools.witness.announce("failed", task, number)
    recorded = await _settle(
        tools,
        lambda: tools.claims.fail(task, number, failed.error, delay_s=delay_s, blame_type=failed.blame_type),
    )
    if not recorded:
        await tools.witness.announce("abandoned", task, number)


async def _settle(tools: Tools, record: Callable[[], Awaitable[bool]]) -> bool:
    """Record something that is fenced, trying again through an outage of any length while the worker lives."""
    backoff_s = 0.05
    while True:
        try:
            return await record()
        except Unavailable:
            if tools.gave_up.is_set():
                return False
        await asyncio.sleep(backoff_s * (0.5 + 0.5 * random.random()))
        backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
