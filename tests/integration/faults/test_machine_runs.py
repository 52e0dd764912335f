"""Whole runs against the starter with faults of the machine: what it keeps, and mistakes that they bring out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from capsize.checkers import judge
from capsize.core.events import Struck
from capsize.core.experiment import Experiment, LoadPlan, PlannedStrike
from capsize.core.levels import level
from capsize.core.platform import ClockSkewable, DiskBreakable, NamesBreakable
from capsize.core.verdict import Judgement, Verdict
from capsize.rundir import RunDirectory
from capsize.runner import execute
from capsize.scenario import api, claim, experiment, strike, tasks
from capsize.systems import Starter
from support.engines import need_postgres
from support.harming import need

CARELESS = str(Path(__file__).with_name("careless.py"))
HOUR_S = 3600.0

FEW = tasks(12, seconds=0.5, rate=4.0)
MANY = tasks(250, seconds=0.01, rate=80.0)


def plan(load: LoadPlan, *strikes: PlannedStrike, chaos_s: float) -> Experiment:
    """Return a short experiment at level 1; while the machine is broken the API may fail, tasks may not.

    Two strikes may come too late: on a busy machine one takes seconds to be seen.
    """
    figures = level(1, api_success_min=0.0, deadline_s=60.0)
    found = experiment(
        figures,
        7,
        loads=[api(rate=5.0), load],
        strikes=strikes,
        claims=[claim("landed", min=max(1, len(strikes) - 2)), claim("completion", min=1.0)],
        chaos_s=chaos_s,
    )
    return found


async def run(found: Experiment, output: Path, mistake: str = "") -> tuple[Judgement, list[Struck]]:
    """Carry an experiment out, sound or with a mistake, and return the judgement and the strikes that landed."""
    system = Starter((sys.executable, CARELESS, mistake)) if mistake else Starter()
    directory = RunDirectory.create(output, found)
    await execute(found, directory=directory, system=system)
    history = directory.history()
    landed = [event for event in history.of(Struck) if event.stage == "landed"]
    return judge(found, history), landed


def named(judgement: Judgement) -> set[str]:
    """Return the anomalies and the claims that failed."""
    failed = {result.checker for result in judgement.results if result.verdict is Verdict.FAIL}
    return failed | {finding.anomaly for finding in judgement.findings}


def kept(judgement: Judgement) -> bool:
    """Return whether every claim holds but the one on capsize's own pace, which other programs may slow down."""
    return all(one.verdict is Verdict.PASS for one in judgement.results if one.checker != "instrument")


def said(judgement: Judgement) -> str:
    """Return what a failed test should show."""
    return "\n".join(
        f"{result.checker}: {result.verdict.name} {result.summary}" for result in judgement.results
    )


SKEWED: Sequence[PlannedStrike] = (
    strike("clock_skew", "worker", at_s=0.5, for_s=3.0, pick=0.0, offset_s=HOUR_S),
    strike("clock_skew", "worker", at_s=0.7, for_s=3.0, pick=0.9, offset_s=-HOUR_S),
    strike("clock_skew", "api", at_s=0.6, for_s=1.2, offset_s=HOUR_S),
    strike("clock_skew", "api", at_s=2.2, for_s=1.5, offset_s=-HOUR_S),
)
FULL = strike("disk_full", "postgres", at_s=0.5, for_s=2.0)


async def test_clocks_an_hour_apart_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    """One worker is an hour ahead, the other an hour behind, the API is each in turn: the starter passes."""
    need_postgres()
    need(ClockSkewable)
    judgement, landed = await run(plan(FEW, *SKEWED, chaos_s=4.5), tmp_path)
    assert kept(judgement), said(judgement)
    assert {event.fault for event in landed} == {"clock_skew"}


@pytest.mark.slow
async def test_a_lease_by_the_wall_clock_is_found(tmp_path: Path) -> None:
    """A worker that compares leases with its own clock takes others' tasks away when it is an hour ahead."""
    need_postgres()
    need(ClockSkewable)
    judgement, _ = await run(plan(FEW, *SKEWED[:1], chaos_s=4.0), tmp_path, "reaps_by_its_own_clock")
    assert judgement.verdict is Verdict.FAIL, said(judgement)
    assert named(judgement) & {"overlap", "duplicate"}


@pytest.mark.slow
async def test_tasks_accepted_without_room_for_them_are_found(tmp_path: Path) -> None:
    """An API that acknowledges what the full disk refused has lost it, and is told so."""
    need_postgres()
    need(DiskBreakable)
    judgement, _ = await run(plan(MANY, FULL, chaos_s=3.5), tmp_path, "accepts_without_room")
    assert judgement.verdict is Verdict.FAIL, said(judgement)
    assert "lost" in named(judgement)


async def test_the_starter_keeps_everything_on_a_machine_that_fails(tmp_path: Path) -> None:
    """Disk, memory, processor, descriptors and names fail one after another: the starter passes."""
    need_postgres()
    need(DiskBreakable)
    need(NamesBreakable)
    strikes = (
        FULL,
        strike("memory", "worker", at_s=2.0),
        strike("descriptors", "api", at_s=2.7, for_s=0.6),
        strike("dns", "worker", at_s=2.8, for_s=1.0, how="servfail"),
        strike("cpu", "api", at_s=3.5, for_s=1.0, cores=0.3),
        strike("disk_slow", "postgres", at_s=3.5, for_s=1.0, latency_ms=5.0),
        strike("disk_error", "postgres", at_s=5.0, for_s=0.5),
    )
    judgement, landed = await run(plan(MANY, *strikes, chaos_s=9.0), tmp_path)
    assert kept(judgement), said(judgement)
    means = {event.fault: event.detail for event in landed}
    assert len(means) >= 5
    assert all(means.values())


@pytest.mark.parametrize("fault", ["disk_full", "clock_skew", "dns"])
def test_a_plan_tells_what_the_services_must_be_prepared_for(fault: str) -> None:
    """Nothing is laid for a service that no such fault is planned against, except names, which concern all."""
    from capsize.runner.parts import Parts

    args = {"offset_s": 1.0} if fault == "clock_skew" else {}
    found = plan(FEW, strike(fault, "worker", at_s=1.0, for_s=1.0, **args), chaos_s=2.0)
    services = Starter().services({"worker": 1}, {})
    prepared = {one.name: one.prepared for one in Parts.of(found).prepared(found.strikes, services)}
    assert prepared["worker"] == {"disk_full": ("disk",), "clock_skew": ("clock",), "dns": ("names",)}[fault]
    assert prepared["postgres"] == prepared["migrate"] == ()
    assert prepared["api"] == (("names",) if fault == "dns" else ())
