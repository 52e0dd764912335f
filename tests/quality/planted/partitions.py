"""Defects that show when connections are cut or slow while everything on both sides of them lives."""

from __future__ import annotations

import asyncio
from typing import Any

from quality.planted.model import Hunt, defects
from quality.planted.outages import hangs_without_database, health_always_ok

CUT_OFF = Hunt("network-partition", level=1, overrides={"interval_s": (12.0, 13.0)})


def goes_on_after_its_lease() -> None:
    """A worker that can't renew its lease works on, while somebody else has been given its task."""
    from capsize_starter.worker import keeper, lease

    lease.Lease.held = lambda self, clock=None: True  # type: ignore[method-assign, assignment, misc]
    lease.Lease.check = lambda self: None  # type: ignore[method-assign]
    keeper.Running.lose = lambda self, reason: None  # type: ignore[method-assign]


def heartbeat_without_a_limit() -> None:
    """The heartbeat waits for its answer for as long as it takes, and the lease is counted from the answer."""
    from capsize_starter.queue import claims
    from capsize_starter.worker import keeper

    async def renew(self: Any, held: list[Any]) -> set[Any]:
        rows = await self._db.fetch(
            claims.SQL.renew,
            [task for task, _ in held],
            [run for _, run in held],
            self._lease_s,
            timeout_s=3600.0,
        )
        return {row["id"] for row in rows}

    claims.Claims.renew = renew  # type: ignore[method-assign]
    # Nothing else ends a run: its deadline was the heartbeat's to keep.
    keeper.Running.watch = lambda self: None  # type: ignore[method-assign]


def worker_gives_up_for_good() -> None:
    """A worker whose database does not answer waits for ever, with all that it holds, and goes on living."""
    from capsize_starter.worker import dispatcher, runner

    claim = dispatcher.Dispatcher._claim

    async def or_never_again(self: Any, hint: str) -> bool:
        try:
            return await claim(self, hint)
        except dispatcher.Unavailable:
            await asyncio.Event().wait()
            raise

    async def settle(tools: Any, record: Any) -> bool:
        try:
            return bool(await record())
        except runner.Unavailable:
            await asyncio.Event().wait()
            raise

    dispatcher.Dispatcher._claim = or_never_again  # type: ignore[method-assign]
    runner._settle = settle


def hangs_when_cut_off() -> None:
    """Requests wait for an answer of the database without a limit: the API hangs for as long as it is cut off."""
    from contextlib import contextmanager

    from capsize_starter.db import pool

    @contextmanager
    def without_limit(limit_s: float) -> Any:
        yield limit_s

    pool._spending = without_limit
    hangs_without_database()


def health_blind_to_the_network() -> None:
    """The health check answers from the process alone, and does not know that it is cut off."""
    health_always_ok()


DEFECTS = defects(
    (goes_on_after_its_lease, CUT_OFF, {"overlap", "duplicate"}),
    (heartbeat_without_a_limit, CUT_OFF, {"overlap", "duplicate"}),
    (worker_gives_up_for_good, Hunt("network-partition", level=1), {"reconnected"}),
    (hangs_when_cut_off, CUT_OFF, {"bounded_answers"}),
    (health_blind_to_the_network, CUT_OFF, {"truthful_health"}),
)
