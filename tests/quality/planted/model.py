"""What a planted defect is, and what the planting of several shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Hunt:
    """The run that must find a defect: scenario, level, replaced figures, and the first seed."""

    scenario: str
    level: int = 2
    overrides: dict[str, Any] = field(default_factory=dict)
    seed: int = 1


@dataclass(frozen=True)
class Defect:
    """One mistake: what it is, how it is made, the run that must find it, and the names it may be found under.

    ``shows`` are the anomalies or criteria of which at least one must be reported.
    """

    story: str
    plant: Callable[[], None]
    hunt: Hunt
    shows: frozenset[str]


def defects(*rows: tuple[Callable[[], None], Hunt, set[str]]) -> dict[str, Defect]:
    """Return defects by the names of their functions; the first line of the docstring is the story."""
    return {
        plant.__name__: Defect((plant.__doc__ or "").splitlines()[0], plant, hunt, frozenset(shows))
        for plant, hunt, shows in rows
    }


def never_lose(running: Any) -> None:
    """Keep a run going although its record says that it is over: the heartbeat would end it."""
    running.lose = lambda reason: None


def change_sql(module: str, query: str, old: str, new: str) -> None:
    """Replace a piece of a query; a piece that is not there is an error, or the defect would be none."""
    from importlib import import_module

    queries = import_module(f"capsize_starter.queue.{module}").SQL._queries
    if old not in queries[query]:
        raise LookupError(f"the query {query!r} no longer holds {old!r}: plant this defect anew")
    queries[query] = queries[query].replace(old, new)


def count_starts(role: str) -> int:
    """Count the starts of this kind of process in the run's own database, and return which one this is.

    ``role`` is the starter's command; 0 for every other one.
    """
    import asyncio
    import os
    import sys

    import asyncpg

    async def count() -> int:
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        try:
            await connection.execute("CREATE TABLE IF NOT EXISTS planted_starts (role text)")
            await connection.execute("INSERT INTO planted_starts VALUES ($1)", role)
            return int(await connection.fetchval("SELECT count(*) FROM planted_starts WHERE role = $1", role))
        finally:
            await connection.close()

    return asyncio.run(count()) if sys.argv[2] == role else 0
