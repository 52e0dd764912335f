"""Guardrails in a run on simulated time: the chaos ends, everything is healed; harm has a bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsize.core.errors import HealError
from capsize.core.events import Event, Noted, Sample, Struck
from capsize.core.experiment import Phase
from capsize.core.guardrail import Aborted
from capsize.guardian.lifetime import CURRENT
from capsize.runner.phases import Loads, play
from capsize.runner.striker import LIFE_S
from support.simulated import run
from support.stages import Rig, experiment, rig, strike

CHAOS = Phase(name="chaos", limit_s=60.0)


def _details(bench: Rig, stage: str) -> dict[str, str]:
    return {e.strike: e.detail for e in bench.events if isinstance(e, Struck) and e.stage == stage}


def _most_harmed(events: list[Event]) -> int:
    """Return how many instances were in the hands of strikes at once."""
    held: dict[str, int] = {}
    most = 0
    for event in events:
        if isinstance(event, Struck) and event.stage == "begin":
            held[event.strike] = len(event.victims)
        elif isinstance(event, Struck) and event.stage in ("healed", "heal_failed"):
            held.pop(event.strike, None)
        most = max(most, sum(held.values()))
    return most


def test_a_guardrail_stops_the_chaos_heals_and_ends_the_run(tmp_path: Path) -> None:
    """What is broken is healed before the run ends, and what was still planned is not carried out."""

    async def main() -> None:
        bench = await rig(tmp_path, abort_when=("instances_down > 0 for 2s",))
        striker = bench.striker(strike(1, 1.0, fault="stop", for_s=50.0), strike(2, 30.0))
        loads = Loads(bench.stage, ())
        start = bench.stage.clock.now()
        with pytest.raises(Aborted, match="instances_down > 0 for 2s: 1 since"):
            await play(bench.stage, experiment(CHAOS), loads, striker, bench.steadiness, bench.limits)
        assert bench.stage.clock.now() - start < 10.0
        assert all(instance.ready for instance in bench.platform.instances())
        assert ("s1", "healed") in bench.strikes()
        assert ("s2", "not_carried_out") in bench.strikes()

    run(main())


def test_a_guardrail_that_is_not_reached_stops_nothing(tmp_path: Path) -> None:
    """The same strike, and a bound that it stays below."""

    async def main() -> None:
        bench = await rig(tmp_path, abort_when=("instances_down > 1 for 2s",))
        striker = bench.striker(strike(1, 1.0, fault="stop", for_s=50.0))
        await play(
            bench.stage, experiment(CHAOS), Loads(bench.stage, ()), striker, bench.steadiness, bench.limits
        )
        assert ("s1", "healed") in bench.strikes()

    run(main())


def test_a_guardrail_that_nobody_could_see_is_told(tmp_path: Path) -> None:
    """Without a look at the queue, its bound is worth nothing; with one there is nothing to tell."""

    async def main() -> None:
        bench = await rig(tmp_path, abort_when=("pending > 5",))
        loads = Loads(bench.stage, ())
        await play(bench.stage, experiment(CHAOS), loads, bench.striker(), bench.steadiness, bench.limits)
        notes = [event.message for event in bench.events if isinstance(event, Noted)]
        assert ["never looked at" in note for note in notes] == [True]
        bench.stage.record(Sample(t=99.0, probe="stats", began=99.0, values={"pending": 1}))
        bench.limits.tell_unseen(bench.stage)
        assert len([event for event in bench.events if isinstance(event, Noted)]) == 1

    run(main())


def test_a_strike_waits_until_there_is_room(tmp_path: Path) -> None:
    """Three strikes that are held at the same time, one instance at most: one after the other, and it is told."""

    async def main() -> None:
        bench = await rig(tmp_path)
        planned = [strike(n, 1.0, fault="pause", for_s=5.0, pick=n / 3) for n in range(3)]
        await bench.striker(*planned, max_harm=1).run()
        assert _most_harmed(bench.events) == 1
        assert len(_details(bench, "healed")) == 3
        waits = [event.message for event in bench.events if isinstance(event, Noted)]
        assert len(waits) == 2
        assert "--max-harm allows 1" in waits[0]

    run(main())


def test_without_a_bound_they_do_not_wait(tmp_path: Path) -> None:
    """The same plan harms three at once: the bound is what made the difference."""

    async def main() -> None:
        bench = await rig(tmp_path)
        planned = [strike(n, 1.0, fault="pause", for_s=5.0, pick=n / 3) for n in range(3)]
        await bench.striker(*planned).run()
        assert _most_harmed(bench.events) == 3

    run(main())


def test_a_strike_that_would_always_be_too_much_is_not_carried_out(tmp_path: Path) -> None:
    """All three workers with a bound of two: recorded as that, and nobody is harmed."""

    async def main() -> None:
        bench = await rig(tmp_path)
        await bench.striker(strike(1, 1.0, fault="pause", for_s=5.0, count=0), max_harm=2).run()
        assert bench.strikes() == [("s1", "not_carried_out")]
        assert "3 instances" in _details(bench, "not_carried_out")["s1"]

    run(main())


def test_a_strike_that_waited_to_the_end_says_so(tmp_path: Path) -> None:
    """It was due, and there was no room before its phase was over."""

    async def main() -> None:
        bench = await rig(tmp_path)
        planned = [
            strike(1, 1.0, fault="pause", for_s=100.0),
            strike(2, 2.0, fault="kill", pick=0.9),
        ]
        loads = Loads(bench.stage, ())
        striker = bench.striker(*planned, max_harm=1)
        await play(bench.stage, experiment(CHAOS), loads, striker, bench.steadiness, bench.limits)
        assert "--max-harm allows 1" in _details(bench, "not_carried_out")["s2"]

    run(main())


def test_what_could_not_be_healed_goes_on_counting(tmp_path: Path) -> None:
    """It is still down: the next strike has no room."""

    async def main() -> None:
        bench = await rig(tmp_path)
        bench.platform.failing["start"] = HealError("the disk is full")
        planned = [strike(1, 1.0, fault="stop"), strike(2, 20.0, fault="kill", pick=0.9)]
        loads = Loads(bench.stage, ())
        striker = bench.striker(*planned, max_harm=1)
        await play(bench.stage, experiment(CHAOS), loads, striker, bench.steadiness, bench.limits)
        assert "s1" in _details(bench, "heal_failed")
        assert "s2" in _details(bench, "not_carried_out")

    run(main())


def test_a_heal_that_broke_is_told_and_keeps_no_other_from_being_healed(tmp_path: Path) -> None:
    """A defect in one fault's healing is a failed heal; the other strike is healed all the same."""

    async def main() -> None:
        bench = await rig(tmp_path)
        resume = bench.platform.resume

        async def broken(instance: str) -> None:
            if instance == "worker-1":
                raise KeyError("worker-1")
            await resume(instance)

        bench.platform.resume = broken  # type: ignore[method-assign]
        planned = [
            strike(1, 1.0, fault="pause", for_s=99.0),
            strike(2, 1.0, fault="pause", for_s=99.0, pick=0.9),
        ]
        loads = Loads(bench.stage, ())
        striker = bench.striker(*planned)
        await play(bench.stage, experiment(CHAOS), loads, striker, bench.steadiness, bench.limits)
        assert "KeyError" in _details(bench, "heal_failed")["s1"]
        assert "s2" in _details(bench, "healed")

    run(main())


def test_every_strike_has_a_time_to_live(tmp_path: Path) -> None:
    """What a fault tells the guard while it strikes lives as long as the strike may last, and no longer."""
    seen: list[tuple[str, float]] = []

    async def main() -> None:
        bench = await rig(tmp_path)
        pause = bench.platform.pause

        async def spying(instance: str) -> None:
            now = CURRENT.get()
            assert now is not None
            seen.append((now.strike, now.ttl_s))
            await pause(instance)

        bench.platform.pause = spying  # type: ignore[method-assign]
        await bench.striker(strike(1, 1.0, fault="pause", for_s=5.0)).run()
        assert CURRENT.get() is None

    run(main())
    assert seen == [("s1", 5.0 + LIFE_S)]
