"""asyncpg beside psycopg 3 for what the starter asks of a driver: ratios of one run.

    benchmarks/.venv/bin/python benchmarks/driver.py --url postgresql://user@host:port/db

Four shapes of use: a point query through the pool (the API), an insert (a submission), a batch
of 200 rows with their payloads read (a claim), and 200 results sent as arrays (a commit). The two
drivers take short turns, so that a noisy machine hurts both alike.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg
import psycopg

SETUP = (
    "DROP TABLE IF EXISTS bench",
    "CREATE TABLE bench (id uuid PRIMARY KEY, type text, payload json, priority smallint, n integer)",
)
POINT = "SELECT id, type, payload, priority, n FROM bench WHERE id = {}"
INSERT = "INSERT INTO bench VALUES ({}, {}, {}, {}, {})"
MANY = "SELECT id, type, payload, priority, n FROM bench LIMIT 200"
COMMIT = (
    "UPDATE bench SET n = n + 1 FROM unnest({}::uuid[], {}::text[]) AS d (id, result) WHERE bench.id = d.id"
    " AND d.result IS NULL"  # the rows are found and sent, and the table does not grow under the measurement
)
PAYLOAD = json.dumps({"seconds": 0.0, "text": "x" * 100})

Use = Callable[[], Awaitable[object]]


async def asyncpg_uses(connection: asyncpg.Connection, ids: list) -> dict[str, Use]:
    results = ["{}"] * 200
    return {
        "point query": lambda: connection.fetchrow(POINT.format("$1"), ids[0]),
        "insert": lambda: connection.execute(
            INSERT.format(*(f"${n}" for n in range(1, 6))), uuid4(), "t", PAYLOAD, 1, 1
        ),
        "claim 200 rows": lambda: connection.fetch(MANY),
        "commit 200 results": lambda: connection.execute(COMMIT.format("$1", "$2"), ids, results),
    }


async def psycopg_uses(connection: psycopg.AsyncConnection, ids: list) -> dict[str, Use]:
    results = ["{}"] * 200

    async def run(sql: str, *args: object, rows: bool = True) -> object:
        # Binary results and prepared statements from the first use: its fastest settings.
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(sql, args or None, prepare=True, binary=True)
            return await cursor.fetchall() if rows else None

    return {
        "point query": lambda: run(POINT.format("%s"), ids[0]),
        "insert": lambda: run(INSERT.format(*["%s"] * 5), uuid4(), "t", PAYLOAD, 1, 1, rows=False),
        "claim 200 rows": lambda: run(MANY),
        "commit 200 results": lambda: run(COMMIT.format("%s", "%s"), ids, results, rows=False),
    }


async def measure(uses: tuple[Use, Use], seconds: float) -> list[float]:
    """Calls per second of each, the median of ten stretches taken in turns."""
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(20):
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds / 10:
            await uses[turn % 2]()
            count += 1
        rates[turn % 2].append(count / (time.perf_counter() - began))
    return [statistics.median(values) for values in rates]


async def main(url: str, seconds: float) -> None:
    first = await asyncpg.connect(url)
    for statement in SETUP:
        await first.execute(statement)
    ids = [uuid4() for _ in range(200)]
    await first.executemany("INSERT INTO bench VALUES ($1, 't', $2, 1, 1)", [(id, PAYLOAD) for id in ids])
    second = await psycopg.AsyncConnection.connect(url, autocommit=True)
    ours, theirs = await asyncpg_uses(first, ids), await psycopg_uses(second, ids)
    print("| use | asyncpg per s | psycopg 3 per s | ratio |\n| --- | ---: | ---: | ---: |")
    for name in ours:
        one, two = await measure((ours[name], theirs[name]), seconds)
        print(f"| {name} | {one:,.0f} | {two:,.0f} | {one / two:.2f} |")
    await first.execute("DROP TABLE bench")
    await first.close()
    await second.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(arguments.url, arguments.seconds))
