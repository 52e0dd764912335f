"""The starter under each fault on its database: every answer clear and in time, and nothing lost, twice or stuck."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsize.checkers import judge
from capsize.core.events import Op, Struck
from capsize.core.history import History
from capsize.core.levels import level
from capsize.core.platform import Service
from capsize.core.verdict import Verdict
from capsize.rundir import RunDirectory
from capsize.runner import execute
from capsize.scenario import Experiment, api, claim, experiment, strike, tasks
from capsize.systems import Starter
from support.engines import need_postgres

ANSWER_S = 3.0
HOLD_S = 1.5

FAULTS: dict[str, dict[str, Any]] = {
    "lock_table": {"table": "tasks"},
    "read_only": {},
    "exhaust_connections": {},
    "slow_queries": {"delay_s": 0.4},
    "restart_under_load": {},
    "crash_in_checkpoint": {},
}
CLAIMS = ("lost", "duplicate", "overlap", "stuck", "misreported", "intact", "unaccounted", "resurrected")


class FewConnections(Starter):
    """The starter on a database of 60 connections, which are taken sooner than the usual 200."""

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return its services."""
        return tuple(
            msgspec.structs.replace(one, env={"max_connections": "60"}) if one.role == "database" else one
            for one in super().services(replicas, settings)
        )


def plan(names: list[str], hold_s: float, apart_s: float) -> Experiment:
    """Strike the database with one fault after the other, while tasks come in and run."""
    # The room at the end is for a busy machine: what is not over with the phase was not carried out.
    chaos_s = len(names) * apart_s + 5.0
    count = int(chaos_s * 2)
    made = experiment(
        level(1, workers=2),
        1,
        loads=[api(rate=10.0), tasks(count, seconds=0.7, rate=count / chaos_s)],
        strikes=[
            strike(name, "postgres", at_s=1.0 + number * apart_s, for_s=hold_s, **FAULTS[name])
            for number, name in enumerate(names)
        ],
        claims=[claim("bounded_answers", limit_s=ANSWER_S), claim("completion", min=1.0)],
        chaos_s=chaos_s,
    )
    return msgspec.structs.replace(made, scenario="database-faults", purpose="the database misbehaves")


def carried_out(made: Experiment, output: Path) -> tuple[History, dict[str, Verdict]]:
    """Run it and return its history and the verdict of each claim."""
    directory = RunDirectory.create(output, made)
    asyncio.run(execute(made, directory=directory, system=FewConnections()))
    history = directory.history()
    return history, {result.checker: result.verdict for result in judge(made, history).results}


def submissions(history: History) -> list[Op]:
    """Return every attempt to submit a task."""
    return [op for op in history.of(Op) if op.call == "submit"]


def check(names: list[str], history: History, verdicts: dict[str, Verdict]) -> None:
    """All faults landed and were healed; every claim on the tasks holds; every answer was clear and in time."""
    stages = {(struck.fault, struck.stage) for struck in history.of(Struck)}
    failed = [
        s for s in history.of(Struck) if s.stage in ("failed", "heal_failed", "missed", "not_carried_out")
    ]
    assert not failed
    assert {(name, stage) for name in names for stage in ("landed", "healed")} <= stages
    held = {
        name: verdicts[name]
        for name in (*CLAIMS, "landed", "completion", "bounded_answers")
        if name in verdicts
    }
    assert set(held.values()) == {Verdict.PASS}, held
    assert {op.status for op in submissions(history)} <= {200, 201, 503}
    assert max(op.t - op.sent for op in submissions(history)) < ANSWER_S


def test_the_starter_withstands_one_after_the_other(tmp_path: Path) -> None:
    """All six in one run, each held for a moment; a write while the database is read-only gets a 503."""
    need_postgres()
    history, verdicts = carried_out(plan(list(FAULTS), HOLD_S, 2.4), tmp_path)
    check(list(FAULTS), history, verdicts)
    during = {struck.stage: struck.t for struck in history.of(Struck) if struck.fault == "read_only"}
    refused = [op for op in submissions(history) if during["landed"] < op.sent < during["healing"] - 0.5]
    assert refused
    assert {op.status for op in refused} == {503}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_starter_withstands_each_for_longer_than_its_leases(tmp_path: Path, name: str) -> None:
    """Held for eight seconds, so that leases run out while workers can't renew them."""
    need_postgres()
    history, verdicts = carried_out(plan([name], 8.0, 10.0), tmp_path)
    check([name], history, verdicts)
