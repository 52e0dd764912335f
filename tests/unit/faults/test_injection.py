"""One fault as a context: healed at the end of the block, however it ends, and checked before anything is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from capsize.core.errors import HealError, InjectionError, Missed, NotSupported, StartError, UsageError
from capsize.core.platform import Pausable, Selective, Service
from capsize.faults import Kill, LockTable, Pause, Stop, inject, why_not
from capsize.faults.injection import HEAL_LIMIT_S
from capsize.platforms.memory import MemoryPlatform
from support.simulated import SimulatedClock, run

WORKERS = Service(name="worker", role="worker", replicas=2)


async def made(kind: type[MemoryPlatform] = MemoryPlatform) -> MemoryPlatform:
    """Bring two workers up on the memory platform."""
    platform = kind(lambda _: None, SimulatedClock())
    await platform.up([WORKERS])
    platform.calls.clear()
    return platform


def simulated(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in simulated time."""

    def plain() -> None:
        run(test())

    plain.__doc__, plain.__name__ = test.__doc__, test.__name__
    return plain


def ready(platform: MemoryPlatform) -> list[bool]:
    """Return which workers are at work."""
    return [one.ready for one in platform.instances()]


@simulated
async def test_it_lasts_as_long_as_the_block() -> None:
    """A service's name means all its instances; inside they are frozen, afterwards they go on."""
    platform = await made()
    async with inject(Pause(), platform, ["worker"]) as injection:
        assert injection.victims == ("worker-1", "worker-2")
        assert ready(platform) == [False, False]
    assert ready(platform) == [True, True]


@simulated
async def test_an_exception_heals_and_comes_through() -> None:
    """What the block raises is what the caller gets."""
    platform = await made()
    with pytest.raises(ZeroDivisionError):
        async with inject(Pause(), platform, ["worker-1"]):
            raise ZeroDivisionError
    assert ready(platform) == [True, True]


@simulated
async def test_a_cancellation_heals_and_a_second_one_does_not_cut_it_short() -> None:
    """Cancelled twice, the second time while it heals: the worker is up when the task is over."""
    platform = await made()
    inside = asyncio.Event()

    async def holding() -> None:
        async with inject(Stop(), platform, ["worker-1"]):
            inside.set()
            await asyncio.sleep(1000)

    task = asyncio.create_task(holding())
    await inside.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert ready(platform) == [True, True]


@simulated
async def test_a_cancelled_strike_is_healed() -> None:
    """Cut short in the middle of the strike, what it may have begun is undone."""
    platform = await made()
    stop = platform.stop

    async def slowly(instance: str, *, hard: bool = False) -> None:
        await stop(instance, hard=hard)
        await asyncio.sleep(1000)

    platform.stop = slowly  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0), inject(Stop(), platform, ["worker-1"]):
            pytest.fail("it never struck")
    assert ready(platform) == [True, True]


@simulated
async def test_a_miss_and_a_failure_heal_and_say_so() -> None:
    """Nothing to hit is Missed, a blow that did not work InjectionError; the block is never entered."""
    platform = await made()
    for error in (Missed("gone"), InjectionError("no permission")):
        platform.failing["pause"] = error
        with pytest.raises(type(error), match=str(error)):
            async with inject(Pause(), platform, ["worker-1"]):
                pytest.fail("it was not struck")
        assert platform.calls[-1].what == "resume"


@simulated
async def test_a_strike_without_effect_has_a_limit() -> None:
    """One that hangs is an InjectionError after half a minute, and is healed."""
    platform = await made()

    async def hanging(instance: str) -> None:
        await asyncio.sleep(1000)

    platform.pause = hanging  # type: ignore[method-assign]
    with pytest.raises(InjectionError, match="no effect within 30 s"):
        async with inject(Pause(), platform, ["worker-1"]):
            pass
    assert platform.calls[-1].what == "resume"


@simulated
async def test_a_healing_that_fails_is_never_silent() -> None:
    """It raises HealError with what is left, also when the block raised, and when it takes too long."""
    platform = await made()
    platform.failing["start"] = StartError("the disk is full")
    with pytest.raises(HealError, match="worker-1 is not back: the disk is full"):
        async with inject(Stop(), platform, ["worker-1"]):
            raise ZeroDivisionError
    platform.failing.clear()

    async def hanging(instance: str) -> None:
        await asyncio.sleep(1000)

    platform.resume = hanging  # type: ignore[method-assign]
    with pytest.raises(HealError, match=f"pause on worker-2: it took longer than {HEAL_LIMIT_S:g} s|longer"):
        async with inject(Pause(), platform, ["worker-2"]):
            pass


@simulated
async def test_what_makes_no_sense_is_said_before_anything_is_touched() -> None:
    """An unknown victim is a usage error; an ability that is missing, or not on this machine, is NotSupported."""
    platform = await made()
    with pytest.raises(UsageError, match="did you mean 'worker'"):
        async with inject(Kill(), platform, ["workr"]):
            pass
    lacking = await made(MemoryPlatform.without(Pausable))
    with pytest.raises(
        NotSupported, match="the fault 'pause' needs a platform that is Pausable; 'memory' is not"
    ):
        async with inject(Pause(), lacking, ["worker"]):
            pass

    class Poor(MemoryPlatform):
        def lacks(self, ability: type) -> str | None:
            return "the kernel can't" if ability is Pausable else None

    poor = await made(Poor)
    assert isinstance(poor, Selective)
    assert why_not(Pause(), poor) == "can't be had here: the kernel can't"
    assert why_not(Kill, poor) is None
    assert why_not(LockTable(table="tasks"), platform) is None
    assert platform.calls == lacking.calls == poor.calls == []
