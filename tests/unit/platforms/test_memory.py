"""What the memory platform has beyond the contract: knobs and hooks for tests."""

from __future__ import annotations

import pytest

from capsize.core.errors import HealError, InjectionError
from capsize.core.platform import Killable, Pausable, Queryable, Startable
from capsize.faults import Kill
from capsize.platforms.memory import MemoryPlatform
from support.simulated import SimulatedClock, run
from support.tiny import POSTGRES, Recorder, worker


def test_it_can_lack_abilities() -> None:
    """A platform made without an ability is none that a fault could use; the others are there."""

    async def main() -> None:
        platform = MemoryPlatform.without(Pausable, Queryable)(Recorder(), SimulatedClock())
        assert not isinstance(platform, Pausable)
        assert not isinstance(platform, Queryable)
        assert isinstance(platform, Killable)
        assert isinstance(platform, Startable)

    run(main())


def test_it_fails_when_told_to_and_remembers_what_was_asked() -> None:
    """``failing`` makes a strike or a healing fail; ``calls`` holds all that was asked, with its time."""

    async def main() -> None:
        clock = SimulatedClock()
        platform = MemoryPlatform(Recorder(), clock, restart_s=None)
        await platform.up((worker(replicas=1),))
        platform.failing["kill"] = InjectionError("no way")
        with pytest.raises(InjectionError, match="no way"):
            await Kill().strike(platform, ("worker-1",))
        assert platform.instances()[0].ready
        platform.failing = {"start": InjectionError("nor back")}
        await clock.sleep(5.0)
        await Kill().strike(platform, ("worker-1",))
        with pytest.raises(HealError, match=r"worker-1.*nor back"):
            await Kill().heal(platform, ("worker-1",))
        assert [(call.what, call.args) for call in platform.calls] == [
            ("up", ()),
            ("kill", ("worker-1",)),
            ("kill", ("worker-1",)),
            ("start", ("worker-1",)),
        ]
        assert platform.calls[-1].t == pytest.approx(5.05)

    run(main())


def test_restart_and_start_take_the_time_they_are_given() -> None:
    """A killed instance is ready after both delays, on the clock of the run."""

    async def main() -> None:
        record, clock = Recorder(), SimulatedClock()
        platform = MemoryPlatform(record, clock, restart_s=2.0, start_s=1.0)
        await platform.up((POSTGRES, worker(replicas=1)))
        assert clock.now() == pytest.approx(2.0)
        await Kill().strike(platform, ("worker-1",))
        await Kill().heal(platform, ("worker-1",))
        assert [(e.state, round(e.t, 3)) for e in record.changes("worker-1")[2:]] == [
            ("exited", 2.0),
            ("starting", 4.0),
            ("ready", 5.0),
        ]

    run(main())


def test_without_restarts_it_gives_up() -> None:
    """``restart_s`` None leaves a killed instance down, as a supervisor that gave up does; start works."""

    async def main() -> None:
        record = Recorder()
        platform = MemoryPlatform(record, SimulatedClock(), restart_s=None)
        await platform.up((worker(replicas=1),))
        await platform.kill("worker-1")
        assert record.states("worker-1")[-2:] == ["exited", "gave_up"]
        await platform.start("worker-1")
        assert platform.instances()[0].ready

    run(main())
