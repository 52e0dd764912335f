"""A stack that a test breaks by hand: what is refused, what is healed in any case, and what its record holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from capsize.checkers import judge
from capsize.core.errors import CapsizeError, InjectionError, NotSupported, UsageError
from capsize.core.events import Struck
from capsize.faults import Pause
from capsize.rundir import RunDirectory
from capsize.systems import Starter
from capsize.testing import Unproved
from capsize.testing.laying import laid_out
from capsize.testing.stack import Stack, StackRun

pytestmark = pytest.mark.timeout(240)


def stages(stack: Stack) -> list[str]:
    """Return the stages of the last strike."""
    struck = RunDirectory.open(stack.directory).history().of(Struck)
    return [event.stage for event in struck if event.strike == struck[-1].strike]


def test_a_body_that_fails_is_healed_and_its_error_comes_through(shared_chaos_stack: Stack) -> None:
    """The assertion of a test inside the block must not leave a frozen worker."""
    with pytest.raises(ZeroDivisionError), shared_chaos_stack.fault("pause", "worker-1"):
        _ = 1 / 0
    assert stages(shared_chaos_stack) == ["begin", "landed", "healing", "healed"]


async def test_a_test_that_is_cancelled_is_healed_first(shared_chaos_stack: Stack) -> None:
    """A limit in time around the block ends it when the fault is gone, not before."""

    async def frozen() -> None:
        async with shared_chaos_stack.fault(Pause(), "worker-2"):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(frozen(), 2.0)
    assert stages(shared_chaos_stack)[-1] == "healed"
    assert all(one.ready for one in shared_chaos_stack.instances("worker"))


@pytest.mark.parametrize(
    ("fault", "victim", "args", "error"),
    [
        ("kil", "worker", {}, UsageError),
        ("kill", "wroker", {}, UsageError),
        ("kill", "worker", {"delay": 1}, UsageError),
        ("network", "worker", {}, NotSupported),
        ("latency", "worker", {}, InjectionError),
    ],
)
def test_what_can_t_be_had_is_refused(
    shared_chaos_stack: Stack, fault: str, victim: str, args: dict[str, object], error: type[CapsizeError]
) -> None:
    """An unknown name or field, a fault of containers, connections without a proxy: an error, never a silent nothing."""
    with pytest.raises(error), shared_chaos_stack.fault(fault, victim, **args):
        pytest.fail("the body must not be entered")


def test_without_a_task_nothing_is_proved(shared_chaos_stack: Stack) -> None:
    """Each test sees its own tasks: those of the tests before it are no evidence for this one."""
    with pytest.raises(Unproved, match="no task was accepted"):
        shared_chaos_stack.history().assert_nothing_lost()


def test_each_test_counts_its_own_tasks(shared_chaos_stack: Stack) -> None:
    """Two views of one stack: each has what it submitted."""
    shared_chaos_stack.submit(3)
    other = Stack(shared_chaos_stack._run)
    other.submit(2)
    assert other.history().assert_nothing_lost().measures["accepted"] == 2
    assert shared_chaos_stack.history().assert_none_twice().verdict.name == "PASS"


def test_when_it_is_down_its_record_is_a_run_s_record(tmp_path: Path) -> None:
    """It ends in order, can be judged from its directory, and refuses further calls."""
    run = StackRun(laid_out(Starter(), workers=1), Starter(), "local", tmp_path)
    run.begin()
    stack = Stack(run)
    stack.submit(1)
    assert stack.settle()
    run.end()
    directory = RunDirectory.open(run.directory.path)
    history = directory.history()
    assert history.ended is not None
    assert history.ended.how == "completed"
    results = {one.checker: one.verdict.name for one in judge(directory.experiment(), history).results}
    assert results["lost"] == results["ended"] == results["duplicate"] == "PASS"
    assert directory.judgement() is not None
    with pytest.raises(CapsizeError, match="not up any more"):
        stack.submit(1)


def test_a_stack_that_does_not_stand_says_why(tmp_path: Path) -> None:
    """What kept it from standing is raised where it was asked for, and nothing is left."""
    run = StackRun(laid_out(Starter()), Starter(), "nowhere", tmp_path)
    with pytest.raises(UsageError, match="there is no platform 'nowhere'"):
        run.begin()
