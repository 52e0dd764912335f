"""A stage on the memory platform and simulated time, for tests of what leads a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from capsize.core.events import Event, Struck
from capsize.core.experiment import Experiment, Phase, PlannedStrike, Spec, Target
from capsize.core.guardrail import Guardrails
from capsize.core.hypothesis import Steadiness
from capsize.core.levels import level
from capsize.core.platform import Service
from capsize.core.registry import make
from capsize.faults import FAULTS
from capsize.guardian import UndoLog
from capsize.load.progress import LiveProgress
from capsize.platforms.memory import MemoryPlatform
from capsize.runner.limits import Limits
from capsize.runner.stage import RunningStage
from capsize.runner.striker import Striker
from capsize.systems import Starter
from support.simulated import SimulatedClock

WORKERS = Service(name="worker", role="worker", replicas=3)
DATABASE = Service(name="postgres", role="database", port=0)


@dataclass
class Rig:
    """The stage, what was recorded on it, and the platform below it."""

    stage: RunningStage
    platform: MemoryPlatform
    events: list[Event]
    steadiness: Steadiness
    undo: Path
    guardrails: Guardrails
    watchers: list[Callable[[Event], None]] = field(default_factory=list)

    def strikes(self) -> list[tuple[str, str]]:
        """Return each strike's steps in order, as (strike, stage)."""
        return [(event.strike, event.stage) for event in self.events if isinstance(event, Struck)]

    @property
    def limits(self) -> Limits:
        """Return what may end the run before its time: nothing, without guardrails."""
        return Limits(self.guardrails, None)

    def striker(self, *planned: PlannedStrike, max_harm: int | None = None) -> Striker:
        """Return a striker for a plan."""
        faults = {strike.id: make(FAULTS, strike.fault, "fault") for strike in planned}
        return Striker(self.stage, planned, faults, UndoLog(self.undo), max_harm)


async def rig(
    tmp_path: Path, *, kind: type[MemoryPlatform] = MemoryPlatform, abort_when: tuple[str, ...] = ()
) -> Rig:
    """Bring a database and three workers up on the memory platform, at simulated time 0."""
    clock = SimulatedClock()
    events: list[Event] = []
    progress, steadiness, guardrails = LiveProgress(), Steadiness(), Guardrails(abort_when)

    def record(event: Event) -> None:
        events.append(event)
        progress.observe(event)
        steadiness.observe(event)
        guardrails.observe(event)

    platform = kind(record, clock)
    await platform.up([DATABASE, WORKERS])
    stage = RunningStage(
        clock=clock,
        record=record,
        system=Starter(),
        platform=platform,
        progress=progress,
        seed=1,
        auth=(),
    )
    return Rig(stage, platform, events, steadiness, tmp_path / "undo.jsonl", guardrails)


def strike(
    number: int, at_s: float, *, fault: str = "kill", for_s: float | None = None, **target: object
) -> PlannedStrike:
    """Return a strike on the workers."""
    aim = Target(**{"service": "worker", **target})  # type: ignore[arg-type]
    return PlannedStrike(id=f"s{number}", at_s=at_s, fault=Spec(name=fault), target=aim, for_s=for_s)


def experiment(*phases: Phase) -> Experiment:
    """Return an experiment that is nothing but its phases."""
    return Experiment(scenario="test", purpose="", level=level(1), seed=1, replicas={}, phases=phases)
