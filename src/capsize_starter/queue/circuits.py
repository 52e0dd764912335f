"""The circuits' state in PostgreSQL: each decision about one is made under its row's lock."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from capsize_starter.breaker import Circuit
from capsize_starter.db import Connection, load_queries

SQL = load_queries(Path(__file__).with_name("claims.sql"))


def from_row(row: Any) -> Circuit:
    """The circuit in a row that may come from an outer join; a type without a row is closed."""
    if row["state"] is None:
        return Circuit()
    probe = None if row["probe_task"] is None else (row["probe_task"], row["probe_run"])
    return Circuit(row["state"], row["failures"], row["opened_at"], row["open_until"], probe)


async def lock(connection: Connection, type: str) -> tuple[Circuit, datetime, bool]:
    """Lock a type's circuit for the transaction: the circuit, the server's time, and whether its probe runs."""
    await connection.execute(SQL.circuit_create, type)
    await connection.execute(SQL.circuit_lock, type)
    row = await connection.fetchrow(SQL.circuit_read, type)
    return from_row(row), row["now"], row["probing"]


async def save(connection: Connection, type: str, circuit: Circuit) -> None:
    """Write a circuit that this transaction has locked."""
    task, run = circuit.probe or (None, None)
    await connection.execute(
        SQL.circuit_save, type, circuit.state, circuit.failures, circuit.opened_at, circuit.open_until, task, run
    )  # fmt: skip


async def change(
    connection: Connection, type: str, decide: Callable[[Circuit, datetime], Circuit]
) -> tuple[Circuit, Circuit]:
    """Decide about a type's circuit under its lock; returns it before and after."""
    before, now, _ = await lock(connection, type)
    after = decide(before, now)
    if after != before:
        await save(connection, type, after)
    return before, after
