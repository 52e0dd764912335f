"""The probes against small services and real processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from capsize.core.errors import InjectionError
from capsize.core.events import Noted, Op, Sample
from capsize.core.experiment import Spec
from capsize.core.platform import Instance
from capsize.core.registry import make
from capsize.probes import PROBES
from capsize.probes.database import DatabaseProbe
from capsize.probes.instrument import InstrumentProbe, summary
from capsize.probes.ready import ReadyProbe
from capsize.probes.resources import TELLS_SHARED, ResourcesProbe
from capsize.probes.stats import StatsProbe

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture"),
]


def answer(status: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


async def test_readiness_is_looked_at_on_time_and_refusals_carry_their_reason(scripted, stage_at, running):
    """200 is ok, everything else is not; the looks are planned exactly one interval apart."""

    async def script(peer):
        while True:
            await peer.request()
            await peer.say(answer(503, "no database") if len(server.requests) % 2 else answer(200))

    server = await scripted(script)
    stage = stage_at(server.url)
    async with running(ReadyProbe(interval_s=0.005).run(stage)):
        await stage.until(lambda events: len(events) >= 20)
    looks = [op for op in stage.events if op.status is not None]
    assert all(isinstance(op, Op) and (op.call, op.client) == ("ready", "prober") for op in looks)
    assert {(op.outcome, op.status, op.error) for op in looks} == {
        ("ok", 200, None),
        ("fail", 503, "answered 503: no database"),
    }
    planned = sorted(op.planned for op in looks)
    steps = {round((one - planned[0]) / 0.005, 6) for one in planned}
    assert all(step == int(step) for step in steps)


async def test_a_frozen_api_does_not_stop_the_looking(scripted, stage_at, running):
    """With nothing answered, looks go on, each is given up on its own, and none is ever held back."""

    async def script(peer):
        await peer.request()
        await peer.gone()

    server = await scripted(script)
    stage = stage_at(server.url)
    async with running(ReadyProbe(interval_s=0.02, timeout_s=0.5).run(stage)):
        await stage.until(lambda events: len(events) >= 60)
        timed_out = list(stage.events)
    assert {op.outcome for op in timed_out} == {"info"}
    assert all(op.error.startswith("timed out after 0.5 s") for op in timed_out)
    assert max(op.planned for op in timed_out) - min(op.planned for op in timed_out) >= 1.0


async def test_counts_are_sampled_and_a_failed_look_says_why(scripted, stage_at, running):
    """Counts become values; an answer without counts is a sample with an error and no values."""

    async def script(peer):
        while True:
            await peer.request()
            good = len(server.requests) % 2
            await peer.say(answer(200, '{"pending":3,"running":1}') if good else answer(503, "away"))

    server = await scripted(script)
    stage = stage_at(server.url)
    async with running(StatsProbe(interval_s=0.02).run(stage)):
        await stage.until(lambda events: len(events) >= 4)
    good, bad = stage.events[:2]
    assert (good.probe, good.values, good.error) == ("stats", {"pending": 3, "running": 1}, None)
    assert (bad.values, bad.error) == ({}, "answered 503: away")
    assert all(sample.began <= sample.t for sample in stage.events)


async def test_a_stall_of_capsize_itself_shows_as_lag(stage_at, running):
    """Blocking the loop for a quarter of a second is measured as one lag of about that."""
    stage = stage_at("http://127.0.0.1:1")
    async with running(InstrumentProbe(interval_s=0.2).run(stage)):
        await stage.until(lambda events: len(events) >= 1)
        time.sleep(0.25)  # noqa: ASYNC251  # the stall
        await stage.until(lambda events: any(one.values["lag_max_s"] > 0.2 for one in events))
    sample = stage.events[0]
    assert set(sample.values) == {"lag_p50_s", "lag_p99_s", "lag_max_s", "ticks", "cpu_share"}
    assert 0 <= sample.values["lag_p50_s"] <= sample.values["lag_p99_s"] <= sample.values["lag_max_s"]
    assert sample.values["cpu_share"] >= 0
    assert sample.t - sample.began >= 0.2


def test_the_figures_of_a_window():
    """Median, 99th percentile and greatest of known lags."""
    lags = [number / 1000 for number in range(200, 0, -1)]
    assert summary(lags) == {"lag_p50_s": 0.101, "lag_p99_s": 0.199, "lag_max_s": 0.2, "ticks": 200}
    assert summary([0.5]) == {"lag_p50_s": 0.5, "lag_p99_s": 0.5, "lag_max_s": 0.5, "ticks": 1}


BUSY_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""


async def test_the_whole_tree_of_an_instance_is_counted(stage_at, running):
    """A parent that idles with a child that spins: two processes, and the child's CPU time is in the share."""
    process = subprocess.Popen([sys.executable, "-c", BUSY_CHILD], stdin=-1, stdout=-1)  # noqa: ASYNC220
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        stage = stage_at("http://127.0.0.1:1")
        instances = (
            Instance(name="worker-1", service="worker", pid=process.pid),
            Instance(name="worker-2", service="worker", pid=None),
        )
        stage.platform.instances = lambda service=None: instances
        async with running(ResourcesProbe(interval_s=0.3).run(stage)):
            await stage.until(lambda events: any(one.values.get("cpu_share", 0) > 0.1 for one in events))
        first, *_, last = stage.events
        assert {sample.subject for sample in stage.events} == {"worker-1"}
        assert "cpu_share" not in first.values
        assert last.values["processes"] == 2
        assert last.values["rss_bytes"] > 5_000_000
        if TELLS_SHARED:
            assert 500_000 < last.values["private_bytes"] < last.values["rss_bytes"]
        assert last.values["cpu_s"] > 0
    finally:
        process.communicate(timeout=20)


async def test_an_instance_that_is_gone_is_passed_over(stage_at, running):
    """A pid that no longer exists gives no sample and does not end the probe."""
    gone = subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220
    gone.wait()
    me = Instance(name="b", service="x", pid=os.getpid())
    stage = stage_at("http://127.0.0.1:1")
    stage.platform.instances = lambda service=None: (Instance(name="a", service="x", pid=gone.pid), me)
    async with running(ResourcesProbe(interval_s=0.05).run(stage)):
        await stage.until(lambda events: len(events) >= 3)
    assert {sample.subject for sample in stage.events} == {"b"}


class Asked:
    """A platform with a database that a test switches."""

    name = "asked"

    def __init__(self) -> None:
        self.mood = "up"

    async def query(self, sql: str, *args: object) -> list[dict[str, object]]:
        if self.mood == "refuses":
            raise InjectionError("connection refused")
        if self.mood == "hangs":
            await asyncio.sleep(600)
        return [{"?column?": 1}]


async def test_the_database_is_seen_up_refusing_and_hanging(stage_at, running):
    """Each state shows with its reason, and a database that hangs does not hang the probe."""
    stage = stage_at("http://127.0.0.1:1")
    stage.platform = platform = Asked()
    errors = {"up": None, "refuses": "connection refused", "hangs": "no answer within 0.1 s"}
    async with running(DatabaseProbe(interval_s=0.01, limit_s=0.1).run(stage)):
        for mood, error in (*errors.items(), ("up", None)):
            platform.mood = mood
            stage.events.clear()
            await stage.until(lambda events, error=error: sum(one.error == error for one in events) >= 3)
            last = stage.events[-1]
            assert isinstance(last, Sample)
            assert last.values["up"] is (error is None)
            assert last.values["latency_s"] == pytest.approx(last.t - last.began, abs=1e-5)


async def test_without_a_way_to_the_database_there_is_a_note(stage_at):
    """The probe says once what was not compared, and ends."""
    stage = stage_at("http://127.0.0.1:1")
    await DatabaseProbe().run(stage)
    (note,) = stage.events
    assert isinstance(note, Noted)
    assert "no way to the database" in note.message


def test_every_probe_is_made_by_its_name():
    """The registry's keys are the names."""
    for name in PROBES:
        assert make(PROBES, Spec(name=name), "probe").name == name
