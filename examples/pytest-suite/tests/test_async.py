"""Tests with asyncio, on one stack for all of them: each sees its own tasks."""

import asyncio


async def test_a_frozen_worker_does_not_come_back_too_late(shared_chaos_stack):
    """A worker that was frozen past its lease must not do its task a second time."""
    await shared_chaos_stack.aio.submit(4, seconds=0.2)
    async with shared_chaos_stack.fault("pause", "worker-1"):
        await asyncio.sleep(1.0)

    history = await shared_chaos_stack.aio.history()
    assert history.assert_nothing_lost().measures["accepted"] == 4
    history.assert_none_twice()
    history.assert_no_overlap()


async def test_the_api_answers_while_a_worker_restarts(shared_chaos_stack):
    """A load runs beside the fault; its calls are judged as those of a scenario are."""
    async with shared_chaos_stack.load("api", rate=40.0):
        await shared_chaos_stack.aio.submit(2, seconds=0.2)
        async with shared_chaos_stack.fault("terminate", "worker-2"):
            await asyncio.sleep(1.0)

    history = await shared_chaos_stack.aio.history()
    history.assert_available(min=0.95)
    assert history.assert_nothing_lost().measures["accepted"] == 2
