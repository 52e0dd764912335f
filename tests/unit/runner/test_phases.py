"""Phases: in order, ended by their condition or their limit, with loads and strikes where they belong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from capsize.core.events import Op, PhaseChanged, Witnessed
from capsize.core.experiment import LoadPlan, Phase, Spec
from capsize.core.protocols import Stage
from capsize.runner.phases import Loads, NotSteady, play
from support.simulated import run
from support.stages import Rig, experiment, rig, strike

STEADY = Phase(name="steady", limit_s=5.0, until="steady")


@dataclass
class Ready:
    """A load that stands in for the availability probe: good answers, except while ``bad`` says so."""

    name: ClassVar[str] = "ready"
    finite: bool = False
    bad: Iterable[tuple[float, float]] = ()

    async def run(self, stage: Stage) -> None:
        """Answer every 50 ms."""
        while True:
            now = stage.clock.now()
            bad = any(low <= now < high for low, high in self.bad)
            outcome = "fail" if bad else "ok"
            stage.record(
                Op(t=now, call="ready", client="prober", outcome=outcome, planned=now, sent=now)  # type: ignore[arg-type]
            )
            await stage.clock.sleep(0.05)


@dataclass
class Works:
    """A load that has one task accepted at once and done ``seconds`` later, and then ends."""

    name: ClassVar[str] = "works"
    seconds: float = 3.0
    finite: bool = True
    cancelled: list[bool] = field(default_factory=list)

    async def run(self, stage: Stage) -> None:
        """Submit, work, record."""
        now = stage.clock.now()
        stage.record(
            Op(t=now, call="submit", client="tasks", outcome="ok", planned=now, sent=now, key="k", task="a")
        )
        try:
            await stage.clock.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled.append(True)
            raise
        stage.record(Witnessed(t=stage.clock.now(), task="a", event="recorded", attempt=1, worker="worker-1"))


@dataclass
class Breaks:
    """A load that raises."""

    name: ClassVar[str] = "breaks"
    finite: bool = True

    async def run(self, stage: Stage) -> None:
        """Break."""
        raise ZeroDivisionError("the load broke")


def _loads(bench: Rig, *loads: tuple[object, tuple[str, ...]]) -> Loads:
    plans = [(LoadPlan(load=Spec(name="x"), phases=phases), load) for load, phases in loads]
    return Loads(bench.stage, plans)  # type: ignore[arg-type]


def _phases(bench: Rig) -> list[tuple[str, str, str]]:
    return [(e.phase, e.what, e.why) for e in bench.events if isinstance(e, PhaseChanged)]


def test_phases_come_in_order_and_say_what_ended_them(tmp_path: Path) -> None:
    """Each phase begins and ends once; its end names its condition, or its limit."""

    async def main() -> Rig:
        bench = await rig(tmp_path)
        plan = experiment(
            STEADY, Phase(name="chaos", limit_s=2.0), Phase(name="drain", limit_s=1.0, until="settled")
        )
        loads = _loads(bench, (Ready(), ("steady", "chaos", "drain")), (Works(60.0), ("drain",)))
        await play(bench.stage, plan, loads, bench.striker(), bench.steadiness, bench.limits)
        return bench

    assert _phases(run(main())) == [
        ("steady", "begin", ""),
        ("steady", "end", "steady"),
        ("chaos", "begin", ""),
        ("chaos", "end", "elapsed"),
        ("drain", "begin", ""),
        ("drain", "end", "limit"),
    ]


def test_a_settled_phase_waits_for_the_work_and_no_longer(tmp_path: Path) -> None:
    """The chaos phase ends when the accepted work is over, well before its limit."""

    async def main() -> float:
        bench = await rig(tmp_path)
        plan = experiment(STEADY, Phase(name="chaos", limit_s=60.0, until="settled"))
        loads = _loads(bench, (Ready(), ("steady", "chaos")), (Works(3.0), ("chaos",)))
        await play(bench.stage, plan, loads, bench.striker(), bench.steadiness, bench.limits)
        times = [e.t for e in bench.events if isinstance(e, PhaseChanged) and e.phase == "chaos"]
        return times[1] - times[0]

    assert run(main()) == pytest.approx(3.0, abs=0.2)


def test_no_steady_state_stops_the_run_before_anything_is_harmed(tmp_path: Path) -> None:
    """When the first phase ends without good answers, NotSteady is raised and no strike is carried out."""

    async def main() -> Rig:
        bench = await rig(tmp_path)
        plan = experiment(STEADY, Phase(name="chaos", limit_s=5.0))
        loads = _loads(bench, (Ready(bad=[(0.0, 100.0)]), ("steady", "chaos")))
        with pytest.raises(NotSteady):
            await play(
                bench.stage, plan, loads, bench.striker(strike(1, 1.0)), bench.steadiness, bench.limits
            )
        return bench

    bench = run(main())
    assert bench.strikes() == []
    assert _phases(bench)[-1] == ("steady", "end", "limit")


def test_strikes_belong_to_the_chaos_phase_and_are_healed_at_its_end(tmp_path: Path) -> None:
    """A freeze that outlasts the chaos phase is healed before the recovery phase begins."""

    async def main() -> Rig:
        bench = await rig(tmp_path)
        plan = experiment(STEADY, Phase(name="chaos", limit_s=4.0), Phase(name="recovery", limit_s=1.0))
        loads = _loads(bench, (Ready(), ("steady", "chaos", "recovery")))
        striker = bench.striker(strike(1, 1.0, fault="pause", for_s=100.0))
        await play(bench.stage, plan, loads, striker, bench.steadiness, bench.limits)
        return bench

    bench = run(main())
    assert bench.strikes()[-1] == ("s1", "healed")
    healed = next(i for i, e in enumerate(bench.events) if getattr(e, "stage", "") == "healed")
    recovery = next(i for i, e in enumerate(bench.events) if getattr(e, "phase", "") == "recovery")
    assert healed < recovery


def test_an_interrupt_heals_and_stops_the_loads(tmp_path: Path) -> None:
    """Cancelling the run in the chaos phase heals what is broken and stops every load before it ends."""
    work = Works(1000.0)

    async def main() -> Rig:
        bench = await rig(tmp_path)
        plan = experiment(STEADY, Phase(name="chaos", limit_s=100.0))
        loads = _loads(bench, (Ready(), ("steady", "chaos")), (work, ("chaos",)))
        striker = bench.striker(strike(1, 1.0, fault="stop", for_s=50.0))
        playing = asyncio.create_task(play(bench.stage, plan, loads, striker, bench.steadiness, bench.limits))
        await bench.stage.clock.sleep(10.0)
        assert not bench.platform.instances("worker")[0].ready
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
        assert bench.platform.instances("worker")[0].ready
        return bench

    bench = run(main())
    assert bench.strikes()[-1] == ("s1", "healed")
    assert work.cancelled == [True]


def test_a_load_that_breaks_breaks_the_run(tmp_path: Path) -> None:
    """A run whose load raised has no complete record, so the error comes out instead of a verdict."""

    async def main() -> None:
        bench = await rig(tmp_path)
        plan = experiment(STEADY, Phase(name="chaos", limit_s=5.0))
        loads = _loads(bench, (Ready(), ("steady", "chaos")), (Breaks(), ("chaos",)))
        with pytest.raises(ZeroDivisionError):
            await play(bench.stage, plan, loads, bench.striker(), bench.steadiness, bench.limits)

    run(main())
