"""Strikes: written down before they are done, aimed by the seed, and healed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from capsize.core.errors import HealError, InjectionError
from capsize.core.events import Event, Struck, Witnessed
from capsize.core.protocols import Effect
from capsize.guardian import UndoLog, still_open
from capsize.runner.striker import Striker
from support.simulated import run
from support.stages import Rig, rig, strike


def _struck(bench: Rig, stage: str) -> list[Struck]:
    return [event for event in bench.events if isinstance(event, Struck) and event.stage == stage]


def test_a_strike_goes_through_all_its_steps_in_order(tmp_path: Path) -> None:
    """A kill is begun, lands, and is healed; its time is the plan's."""

    async def main() -> None:
        bench = await rig(tmp_path)
        start = bench.stage.clock.now()
        await bench.striker(strike(1, 2.0)).run()
        assert bench.strikes() == [("s1", "begin"), ("s1", "landed"), ("s1", "healing"), ("s1", "healed")]
        assert abs(_struck(bench, "begin")[0].t - start - 2.0) < 1e-6
        assert still_open(bench.undo) == ()

    run(main())


def test_a_strike_is_on_the_disk_before_it_is_carried_out(tmp_path: Path) -> None:
    """When the fault is called, both the journal and the undo log already tell of it."""
    seen: list[tuple[int, list[tuple[str, str]]]] = []

    async def main() -> None:
        bench = await rig(tmp_path)
        kill = bench.platform.kill

        async def spying(instance: str) -> None:
            seen.append((len(still_open(bench.undo)), bench.strikes()))
            await kill(instance)

        bench.platform.kill = spying  # type: ignore[method-assign]
        await bench.striker(strike(1, 0.0)).run()

    run(main())
    assert seen == [(1, [("s1", "begin")])]


def test_the_seed_s_pick_chooses_the_victim_among_the_ready(tmp_path: Path) -> None:
    """The same pick hits the same instance; the picks of a plan cover all candidates."""

    async def main() -> None:
        bench = await rig(tmp_path)
        planned = [strike(n, float(n), pick=pick) for n, pick in enumerate((0.0, 0.5, 0.99))]
        await bench.striker(*planned).run()
        victims = [event.victims for event in _struck(bench, "begin")]
        assert victims == [("worker-1",), ("worker-2",), ("worker-3",)]

    run(main())


def test_a_busy_worker_is_waited_for(tmp_path: Path) -> None:
    """A strike that wants live work comes only once the witness has seen a worker start a task."""

    async def main() -> None:
        bench = await rig(tmp_path)
        striking = asyncio.create_task(bench.striker(strike(1, 0.0, busy=True, wait_s=10.0)).run())
        await bench.stage.clock.sleep(3.0)
        assert bench.strikes() == []
        now = bench.stage.clock.now()
        bench.stage.record(Witnessed(t=now, task="a", event="started", attempt=1, worker="worker-3"))
        await striking
        assert _struck(bench, "begin")[0].victims == ("worker-3",)

    run(main())


def test_count_zero_hits_every_instance(tmp_path: Path) -> None:
    """A strike on all of a service takes all its instances at once."""

    async def main() -> None:
        bench = await rig(tmp_path)
        await bench.striker(strike(1, 0.0, count=0)).run()
        assert _struck(bench, "landed")[0].victims == ("worker-1", "worker-2", "worker-3")

    run(main())


def test_nothing_to_hit_is_a_miss_and_no_landing(tmp_path: Path) -> None:
    """A strike on a service without instances is recorded as missed, and nothing is done."""

    async def main() -> None:
        bench = await rig(tmp_path)
        await bench.striker(strike(1, 0.0, service="cache")).run()
        assert bench.strikes() == [("s1", "missed")]

    run(main())


def test_a_failed_injection_is_recorded_and_healed(tmp_path: Path) -> None:
    """When the fault raises, the run goes on, the failure is written with its reason, and healing follows."""

    async def main() -> None:
        bench = await rig(tmp_path)
        bench.platform.failing["kill"] = InjectionError("no permission")
        await bench.striker(strike(1, 0.0)).run()
        assert [stage for _, stage in bench.strikes()] == ["begin", "failed", "healing", "healed"]
        assert "no permission" in _struck(bench, "failed")[0].detail

    run(main())


def test_a_failed_heal_is_recorded_and_stays_open_in_the_undo_log(tmp_path: Path) -> None:
    """What could not be undone is named in the journal and left for whoever heals later."""

    async def main() -> None:
        bench = await rig(tmp_path)
        bench.platform.failing["start"] = HealError("the disk is full")
        await bench.striker(strike(1, 0.0, fault="stop", for_s=1.0)).run()
        assert bench.strikes()[-1] == ("s1", "heal_failed")
        assert "the disk is full" in _struck(bench, "heal_failed")[0].detail
        assert [left.strike for left in still_open(bench.undo)] == ["s1"]

    run(main())


def test_a_held_strike_is_healed_at_once_when_the_phase_ends(tmp_path: Path) -> None:
    """Ending the phase cuts the hold short, heals what is held, and says which strikes never came."""

    async def main() -> None:
        bench = await rig(tmp_path)
        striker = bench.striker(strike(1, 0.0, fault="pause", for_s=100.0), strike(2, 50.0))
        striking = asyncio.create_task(striker.run())
        await bench.stage.clock.sleep(1.0)
        assert not bench.platform.instances("worker")[0].ready
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
        await striker.heal_all()
        assert bench.platform.instances("worker")[0].ready
        assert bench.strikes()[-1] == ("s1", "healed")
        assert ("s2", "not_carried_out") in bench.strikes()
        assert still_open(bench.undo) == ()

    run(main())


def test_a_heal_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    """Cancelling in the middle of a heal leaves the strike open, and heal_all finishes it."""

    async def main() -> None:
        bench = await rig(tmp_path)
        striker = bench.striker(strike(1, 0.0, fault="stop", for_s=1.0))
        striking = asyncio.create_task(striker.run())
        while not _struck(bench, "healing"):
            await bench.stage.clock.sleep(0.01)
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
        assert not _struck(bench, "healed")
        await striker.heal_all()
        assert len(_struck(bench, "healed")) == 1
        assert all(instance.ready for instance in bench.platform.instances("worker"))

    run(main())


def test_every_recorded_step_can_be_written_down(tmp_path: Path) -> None:
    """The striker records nothing that the journal could not encode."""

    async def main() -> list[Event]:
        bench = await rig(tmp_path)
        await bench.striker(strike(1, 0.0), strike(2, 1.0, service="cache")).run()
        return bench.events

    for event in run(main()):
        msgspec.json.encode(event)


def test_a_strike_on_connections_tells_what_it_did(tmp_path: Path) -> None:
    """With ``landed`` where it is, with ``healing`` how often it touched traffic; one that can't tell says nothing."""

    class Disturbing(msgspec.Struct, frozen=True, kw_only=True):
        name: ClassVar[str] = "disturbing"
        requires: ClassVar[tuple[type, ...]] = ()
        peer: str = "postgres"
        dumb: bool = False

        async def strike(self, platform: Any, victims: Sequence[str]) -> None:
            return None

        async def heal(self, platform: Any, victims: Sequence[str]) -> None:
            return None

        async def effect(self, platform: Any, victims: Sequence[str]) -> Effect:
            if self.dumb:
                raise InjectionError("the proxy is gone")
            return Effect(links=("worker-1>postgres-1",), mechanism="proxy", hits=7)

    async def main() -> None:
        for dumb, hits in ((False, 7), (True, None)):
            bench = await rig(tmp_path)
            planned = strike(1, 1.0)
            await Striker(bench.stage, (planned,), {"s1": Disturbing(dumb=dumb)}, UndoLog(bench.undo)).run()
            told = {stage: _struck(bench, stage)[0] for stage in ("begin", "landed", "healing", "healed")}
            assert told["healing"].hits == hits
            assert told["landed"].mechanism == ("" if dumb else "proxy")
            assert (told["begin"].links, told["healed"].hits) == ((), None)

    run(main())
