"""Defects that show when several things are broken at once, and not when each is broken alone."""

from __future__ import annotations

import asyncio
from typing import Any

from quality.planted.model import Hunt, defects

# Seed 2: PostgreSQL is stopped, and a worker is killed in its absence.
BORN_INTO_AN_OUTAGE = Hunt("mixed-chaos", level=1, seed=2)


def worker_born_in_an_outage_never_works() -> None:
    """A worker that can't reach the database when it starts waits for a wake-up that nobody sends."""
    from capsize_starter.worker import dispatcher

    dispatch = dispatcher.Dispatcher.dispatch

    async def once(self: Any) -> None:
        try:
            await self._tools.claims.peek()
        except dispatcher.Unavailable:
            self._announce_ready()
            while not self._stopping.is_set():
                self._freed.clear()
                await asyncio.wait({asyncio.ensure_future(self._freed.wait())}, timeout=0.5)
            return
        await dispatch(self)

    dispatcher.Dispatcher.dispatch = once  # type: ignore[method-assign]


def pool_born_in_an_outage_stays_empty() -> None:
    """A process whose very first connection failed never tries again; one that had connected before does."""
    from capsize_starter.db import pool

    connect = pool.Database.connect
    state = {"connected": False, "given_up": False}

    async def first_decides(self: Any) -> Any:
        if state["given_up"]:
            raise pool.Unavailable("there was no database when this process started")
        try:
            connection = await connect(self)
        except pool.Unavailable:
            state["given_up"] = not state["connected"]
            raise
        state["connected"] = True
        return connection

    pool.Database.connect = first_decides  # type: ignore[method-assign]


def spins_without_database() -> None:
    """A worker that can't reach the database tries again at once, and again."""
    from capsize_starter.worker import dispatcher

    claim = dispatcher.Dispatcher._claim

    async def at_once(self: Any, *arguments: Any) -> bool:
        while not self._stopping.is_set():
            try:
                return await claim(self, *arguments)
            except dispatcher.Unavailable:
                await asyncio.sleep(0)
        return False

    dispatcher.Dispatcher._claim = at_once  # type: ignore[method-assign]


DEFECTS = defects(
    (worker_born_in_an_outage_never_works, BORN_INTO_AN_OUTAGE, {"converged"}),
    (pool_born_in_an_outage_stays_empty, BORN_INTO_AN_OUTAGE, {"converged", "restarted", "ended"}),
    (spins_without_database, BORN_INTO_AN_OUTAGE, {"restraint"}),
)
