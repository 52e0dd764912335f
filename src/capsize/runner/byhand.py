"""A run that is led by hand: somebody else decides when to load, to strike and to end; all of it is recorded as ever."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from capsize.core.errors import CapsizeError, HealError, InjectionError, Missed, NotSupported
from capsize.core.events import PhaseChanged, StrikeStage
from capsize.core.experiment import Experiment, PlannedStrike, Spec, Target
from capsize.core.hypothesis import Steadiness
from capsize.core.protocols import Effect, Fault, Load, Stage
from capsize.core.registry import make
from capsize.core.waits import to_the_end
from capsize.faults import FAULTS, why_not
from capsize.faults.injection import aimed
from capsize.guardian import UndoLog
from capsize.load import LOADS
from capsize.runner.execute import Drive, audit
from capsize.runner.lastlooks import last_looks
from capsize.runner.limits import Limits
from capsize.runner.phases import Loads
from capsize.runner.striker import Striker

LOOK_S = 0.02
PHASE = "chaos"


class Hand:
    """What the leader of such a run can do, from the run's own event loop."""

    def __init__(self, stage: Stage, undo: UndoLog, limits: Limits) -> None:
        self.stage, self._limits = stage, limits
        self._striker = _HandStriker(stage, undo)
        self._numbers = itertools.count(1)
        self.over = asyncio.Event()
        """Set to end the run."""

    @asynccontextmanager
    async def fault(
        self, spec: Spec, victims: Iterable[str], *, busy: bool = False, wait_s: float = 10.0
    ) -> AsyncIterator[tuple[str, ...]]:
        """Have a fault in place while the body runs; yields the instances that it hit, and heals in any case.

        ``victims`` are instances and services; ``busy`` takes one instance of the first of them that is inside
        a task, waiting up to ``wait_s`` for it. Raises UsageError and NotSupported before anything is touched;
        Missed, InjectionError and HealError afterwards.
        """
        fault = make(FAULTS, spec, "fault")
        names = tuple(victims)
        found = aimed(self.stage.platform, names)
        reason = why_not(fault, self.stage.platform)
        if reason is not None:
            raise NotSupported(f"the fault {fault.name!r} {reason}")
        self._limits.check(self.stage)
        target = Target(service=names[0] if names else "", count=1, busy=busy, wait_s=wait_s)
        strike = PlannedStrike(id=f"h{next(self._numbers)}", at_s=0.0, fault=spec, target=target)
        async with self._striker.holding(strike, fault, () if busy else found) as hit:
            yield hit

    @asynccontextmanager
    async def load(self, spec: Spec) -> AsyncIterator[None]:
        """Have a load running while the body runs. What it raised is raised at the end."""
        task = asyncio.create_task(self._load(spec).run(self.stage), name=f"load {spec.name}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled() and (error := task.exception()):
            raise error

    async def carry_out(self, spec: Spec, limit_s: float) -> bool:
        """Carry a load out that ends by itself; returns whether it did within the limit."""
        try:
            async with asyncio.timeout(limit_s):
                await self._load(spec).run(self.stage)
        except TimeoutError:
            return False
        return True

    async def settle(self, limit_s: float, tasks: Callable[[], frozenset[str]] | None = None) -> bool:
        """Wait until all accepted tasks (or ``tasks``) are over; returns whether they are within the limit."""
        progress, clock = self.stage.progress, self.stage.clock
        wanted = tasks or progress.acknowledged
        end = clock.now() + limit_s
        while not wanted() <= progress.over():
            if clock.now() >= end:
                return False
            await clock.sleep(LOOK_S)
        return True

    async def heal_all(self) -> None:
        """Heal what is still in place."""
        await self._striker.heal_all()

    async def audit(self) -> None:
        """Ask the service for its last word on every task, and look at what is in its database."""
        await audit(self.stage)
        await last_looks(self.stage, ())

    def _load(self, spec: Spec) -> Load:
        return make(LOADS, spec, "load")


def by_hand(begun: Callable[[Hand], None]) -> Drive:
    """Return what leads a run by hand: ``begun`` is called when the system stands, and the run goes on until ``over``."""

    async def drive(
        stage: Stage,
        experiment: Experiment,
        loads: Loads,
        striker: Striker,
        steadiness: Steadiness,
        limits: Limits,
    ) -> None:
        if limits.guard is None:
            raise CapsizeError("a run by hand needs a guardian")
        hand = Hand(stage, limits.guard.log, limits)
        stage.record(PhaseChanged(t=stage.clock.now(), phase=PHASE, what="begin"))
        try:
            begun(hand)
            await hand.over.wait()
        finally:
            await to_the_end(hand.heal_all())
            stage.record(PhaseChanged(t=stage.clock.now(), phase=PHASE, what="end", why="ended by hand"))

    return drive


class _HandStriker(Striker):
    """Carries out strikes that no plan has, and raises what went wrong instead of only writing it down."""

    def __init__(self, stage: Stage, undo: UndoLog) -> None:
        self._made: dict[str, Fault] = {}
        self._said: dict[tuple[str, str], str] = {}
        super().__init__(stage, (), self._made, undo)

    @asynccontextmanager
    async def holding(
        self, strike: PlannedStrike, fault: Fault, victims: tuple[str, ...]
    ) -> AsyncIterator[tuple[str, ...]]:
        """Strike, run the body, and heal; victims that are not given are aimed at."""
        self._made[strike.id] = fault
        victims = victims or await self._aim(strike.target, self._field(strike))
        if not victims:
            raise Missed(f"no instance of {strike.target.service!r} was up")
        try:
            landed = await self._strike(strike, victims)
            if not landed:
                self._raise(strike)
            yield victims
        finally:
            await to_the_end(self._heal(strike, victims))
        self._raise(strike)

    def _raise(self, strike: PlannedStrike) -> None:
        """Raise what went wrong with a strike, the worst first."""
        name = strike.fault.name
        for stage, error, what in (
            ("heal_failed", HealError, f"{name} is not healed: "),
            ("failed", InjectionError, f"{name} could not be carried out: "),
            ("missed", Missed, ""),
        ):
            detail = self._said.get((strike.id, stage))
            if detail is not None:
                raise error(what + detail)

    def _say(
        self,
        strike: PlannedStrike,
        stage: StrikeStage,
        victims: tuple[str, ...],
        detail: str = "",
        effect: Effect | None = None,
    ) -> None:
        self._said[strike.id, stage] = detail
        super()._say(strike, stage, victims, detail, effect)


__all__ = ["Hand", "by_hand"]
