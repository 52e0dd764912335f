"""The outside service in a run: who is struck through it, and what a run needs before anything is harmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from capsize.core.errors import NotSupported
from capsize.core.events import DependencyMode
from capsize.core.experiment import PlannedStrike, Spec, Target
from capsize.core.levels import level
from capsize.core.platform import Instance
from capsize.core.system import TaskOrder
from capsize.platforms.memory import MemoryPlatform
from capsize.platforms.remote import RemotePlatform
from capsize.runner.parts import Parts
from capsize.scenarios import SCENARIOS
from capsize.systems import Starter
from support.simulated import SimulatedClock, run
from support.stages import rig, strike

FAIL = PlannedStrike(
    id="s1",
    at_s=1.0,
    fault=Spec(name="dependency", args={"mode": "fail"}),
    target=Target(service="dependency"),
    for_s=2.0,
)


class Outside:
    """An outside service that only remembers what it was told to be, and when."""

    name = "dependency"

    def __init__(self) -> None:
        self.told: list[tuple[float, DependencyMode]] = []

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the one instance."""
        return (Instance(name="dependency", service="dependency", pid=None, ready=True),)

    def url_for(self, key: str) -> str:
        """Return an address."""
        return f"http://127.0.0.1:9/calls/{key}"

    async def become(self, mode: DependencyMode, *, slow_s: float = 0.0) -> None:
        """Remember it."""
        self.told.append((round(asyncio.get_running_loop().time(), 3), mode))


class WithoutCalls(Starter):
    """A system that has no task type that calls anything."""

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:  # type: ignore[override]
        """Return nothing."""
        return None


def test_a_strike_on_the_outside_service_leaves_the_platform_alone(tmp_path: Path) -> None:
    """It is aimed at the outside service's instance, held, and healed there, beside a strike on a worker."""

    async def main() -> tuple[Outside, Sequence[tuple[str, str]]]:
        bench, outside = await rig(tmp_path), Outside()
        object.__setattr__(bench.stage, "dependency", outside)
        await bench.striker(FAIL, strike(2, 2.0)).run()
        return outside, bench.strikes()

    outside, steps = run(main())
    assert [mode for _, mode in outside.told] == ["fail", "ok"]
    assert outside.told[1][0] - outside.told[0][0] == pytest.approx(2.0)
    assert [stage for name, stage in steps if name == "s1"] == ["begin", "landed", "healing", "healed"]
    assert [stage for name, stage in steps if name == "s2"] == ["begin", "landed", "healing", "healed"]


def test_what_a_run_lacks_is_said_before_it_begins() -> None:
    """A service elsewhere can't call this machine; a system may have no task that calls: both are SKIPPED."""
    parts = Parts.of(SCENARIOS["circuit-breaker"].plan(level(1), 1))

    async def platform() -> MemoryPlatform:
        return MemoryPlatform(lambda event: None, SimulatedClock())

    memory = run(platform())
    parts.require(memory, Starter(), Outside())
    with pytest.raises(NotSupported, match="Dependable"):
        parts.require(RemotePlatform("http://127.0.0.1:9"), Starter())
    with pytest.raises(NotSupported, match="has no task type that calls a URL"):
        parts.require(memory, WithoutCalls(), Outside())


def test_the_plan_is_whole_in_json() -> None:
    """A dependency strike survives the way through the run directory."""
    assert msgspec.json.decode(msgspec.json.encode(FAIL), type=PlannedStrike) == FAIL
