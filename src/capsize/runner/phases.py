"""Leads a running system through the phases of an experiment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from capsize.core.errors import CapsizeError
from capsize.core.events import Noted, PhaseChanged
from capsize.core.experiment import Experiment, LoadPlan, Phase
from capsize.core.hypothesis import Steadiness
from capsize.core.protocols import Load, Stage
from capsize.runner.limits import Limits
from capsize.runner.striker import Striker

LOOK_S = 0.02
HEAL_ALL_LIMIT_S = 90.0


class NotSteady(CapsizeError):
    """The steady state did not hold before anything was harmed; the experiment says nothing then."""


class Loads:
    """The loads of a run, each going from the first of its phases to the end of the last."""

    def __init__(self, stage: Stage, plans: Iterable[tuple[LoadPlan, Load]]) -> None:
        self._stage = stage
        self._plans = tuple(plans)
        self._running: dict[int, asyncio.Task[None]] = {}

    def enter(self, phase: str) -> None:
        """Start the loads that begin with this phase."""
        for number, (plan, load) in enumerate(self._plans):
            if phase in plan.phases and number not in self._running:
                self._running[number] = asyncio.create_task(load.run(self._stage), name=f"load {load.name}")

    async def leave(self, phase: str) -> None:
        """Stop the loads for which this was the last phase."""
        last = [n for n, (plan, _) in enumerate(self._plans) if plan.phases[-1] == phase]
        await self._stop([self._running[number] for number in last if number in self._running])

    async def stop(self) -> None:
        """Stop all loads."""
        await self._stop(self._running.values())

    @property
    def sent(self) -> bool:
        """Return whether every load that ends by itself has ended."""
        return all(task.done() for number, task in self._running.items() if self._plans[number][1].finite)

    def raise_failed(self) -> None:
        """Raise what a load raised: a load that broke makes the run's record incomplete."""
        for task in self._running.values():
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _stop(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        tasks = list(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def play(
    stage: Stage,
    experiment: Experiment,
    loads: Loads,
    striker: Striker,
    steadiness: Steadiness,
    limits: Limits,
) -> None:
    """Go through the phases in order.

    Raises NotSteady when the first one ends without the steady state, Aborted when a guardrail was reached, and
    GuardianLost.
    """
    try:
        for phase in experiment.phases:
            stage.record(PhaseChanged(t=stage.clock.now(), phase=phase.name, what="begin"))
            loads.enter(phase.name)
            async with _striking(stage, striker, phase):
                why = await _lasts(stage, phase, loads, steadiness, limits)
            await loads.leave(phase.name)
            stage.record(PhaseChanged(t=stage.clock.now(), phase=phase.name, what="end", why=why))
            if (
                phase.name == "steady"
                and why != "steady"
                and (broken := steadiness.broken(stage.clock.now()))
            ):
                raise NotSteady(f"{'; '.join(broken)}; nothing was harmed")
    finally:
        await loads.stop()
    loads.raise_failed()
    limits.tell_unseen(stage)


@asynccontextmanager
async def _striking(stage: Stage, striker: Striker, phase: Phase) -> AsyncIterator[None]:
    """Strike while the body runs, if this is the chaos phase; healed again in any case."""
    if phase.name != "chaos":
        yield
        return
    task = asyncio.create_task(striker.run(), name="strikes")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Shielded: healing goes on to its end even when the run is being interrupted.
        healing = asyncio.create_task(striker.heal_all())
        await _to_the_end(healing)
    if not task.cancelled() and (error := task.exception()):
        stage.record(Noted(t=stage.clock.now(), level="error", message=f"strikes stopped: {error!r}"))
        raise error


async def _to_the_end(task: asyncio.Task[None]) -> None:
    """Wait for a task that must not be cut short, and pass a cancellation on only after it."""
    try:
        await asyncio.wait_for(asyncio.shield(task), HEAL_ALL_LIMIT_S)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=HEAL_ALL_LIMIT_S)
        raise


async def _lasts(stage: Stage, phase: Phase, loads: Loads, steadiness: Steadiness, limits: Limits) -> str:
    """Wait until the phase is over and return what ended it."""
    began = stage.clock.now()
    while True:
        loads.raise_failed()
        limits.check(stage)
        elapsed = stage.clock.now() - began
        if elapsed >= phase.limit_s:
            return "limit" if phase.until != "elapsed" else "elapsed"
        if elapsed >= phase.at_least_s and _holds(stage, phase, loads, steadiness):
            return phase.until
        await stage.clock.sleep(min(LOOK_S, phase.limit_s - elapsed))


def _holds(stage: Stage, phase: Phase, loads: Loads, steadiness: Steadiness) -> bool:
    match phase.until:
        case "settled":
            return loads.sent and stage.progress.acknowledged() <= stage.progress.over()
        case "steady":
            return steadiness.steady(stage.clock.now())
        case "elapsed":
            return False
