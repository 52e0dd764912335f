"""The guardian of a run: what it had to undo is in the record and judged; without one nothing more is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from capsize.checkers.ended import Ended
from capsize.core.clock import MonotonicClock
from capsize.core.events import Event, RunEnded, Undone
from capsize.core.experiment import Phase
from capsize.core.history import History
from capsize.core.undo import RemoveFolder, Run
from capsize.core.verdict import Verdict
from capsize.guardian.guardian import GuardianLost
from capsize.guardian.lifetime import lasting
from capsize.rundir import RunDirectory
from capsize.runner.guarding import guardian
from capsize.runner.limits import Limits
from capsize.runner.phases import Loads, play
from support.simulated import run
from support.stages import experiment, rig, strike
from support.waiting import until


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def judged(events: list[Event]) -> tuple[Verdict, str]:
    """Return what is said of a run that otherwise completed."""
    result = Ended().check(History([*events, RunEnded(t=999.0, how="completed")]))
    return result.verdict, result.summary


async def test_what_was_overdue_makes_the_run_unknown(tmp_path: Path) -> None:
    """The guardian undid it while the run lasted: the record says of which strike, and the run proves nothing."""
    events: list[Event] = []
    async with guardian(RunDirectory(tmp_path), events.append, MonotonicClock()) as guard:
        with lasting("s7", 0.05):
            guard.before(RemoveFolder(path=str(tmp_path / "left")))
        await until(lambda: events)
    assert [(event.why, event.strike) for event in events if isinstance(event, Undone)] == [("overdue", "s7")]
    verdict, summary = judged(events)
    assert verdict is Verdict.UNKNOWN
    assert "s7" in summary


async def test_what_can_not_be_undone_makes_the_run_fail_and_is_named(tmp_path: Path) -> None:
    """Nobody healed it: the last thing that a run must hide."""
    events: list[Event] = []
    async with guardian(RunDirectory(tmp_path), events.append, MonotonicClock()) as guard:
        guard.before(Run(argv=("sh", "-c", "echo rule 7 is still there; exit 1")))
    verdict, summary = judged(events)
    assert verdict is Verdict.FAIL
    assert "rule 7 is still there" in summary


async def test_what_was_undone_in_order_is_no_matter(tmp_path: Path) -> None:
    """Nothing in the record, and the run passes."""
    events: list[Event] = []
    async with guardian(RunDirectory(tmp_path), events.append, MonotonicClock()) as guard:
        guard.after(guard.before(RemoveFolder(path=str(tmp_path / "left")), ttl_s=3600.0))
    assert events == []
    assert judged(events)[0] is Verdict.PASS


def test_without_a_guardian_the_run_stops_and_heals(tmp_path: Path) -> None:
    """It is lost in the middle of the chaos: what is broken is healed, and nothing more is broken."""

    class Dying:
        """A guard that is lost at a moment of the run."""

        lost = False

        def raise_lost(self) -> None:
            if self.lost:
                raise GuardianLost("the guardian ended 4 times")

    async def main() -> None:
        bench = await rig(tmp_path)
        dying = Dying()
        planned = [strike(1, 1.0, fault="stop", for_s=50.0), strike(2, 20.0)]
        platform_stop = bench.platform.stop

        async def stop(instance: str, *, hard: bool = False) -> None:
            await platform_stop(instance, hard=hard)
            dying.lost = True

        bench.platform.stop = stop  # type: ignore[method-assign]
        phases = experiment(Phase(name="chaos", limit_s=60.0))
        limits = Limits(bench.guardrails, dying)  # type: ignore[arg-type]
        with pytest.raises(GuardianLost):
            await play(
                bench.stage, phases, Loads(bench.stage, ()), bench.striker(*planned), bench.steadiness, limits
            )
        assert all(instance.ready for instance in bench.platform.instances())
        assert ("s2", "begin") not in bench.strikes()

    run(main())
