"""Carries the strikes of a plan out, each when it is due, and heals every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from capsize.core.errors import CapsizeError, Missed
from capsize.core.events import Noted, StrikeStage, Struck
from capsize.core.experiment import PlannedStrike, Target
from capsize.core.platform import Dependable, Platform
from capsize.core.protocols import Effect, Evident, Fault, Stage
from capsize.guardian import UndoLog
from capsize.guardian.lifetime import lasting
from capsize.runner.harm import Harm
from capsize.runner.parts import against

LOOK_S = 0.01
STRIKE_LIMIT_S = 30.0
HEAL_LIMIT_S = 60.0
EFFECT_LIMIT_S = 5.0
LIFE_S = STRIKE_LIMIT_S + HEAL_LIMIT_S + 15.0
"""How long a strike's steps live beyond the time for which it is held: longer than all limits together."""


class Striker:
    """Strikes and heals. What was begun is healed, whether the phase ends, the run fails or is interrupted."""

    def __init__(
        self,
        stage: Stage,
        strikes: Sequence[PlannedStrike],
        faults: Mapping[str, Fault],
        undo: UndoLog,
        max_harm: int | None = None,
    ) -> None:
        self._stage = stage
        self._strikes = strikes
        self._faults = faults
        self._undo = undo
        self._open: dict[str, tuple[PlannedStrike, tuple[str, ...]]] = {}
        self._begun: set[str] = set()
        self._harm = Harm(max_harm)
        self._waits: dict[str, str] = {}

    async def run(self) -> None:
        """Carry all strikes out, counted from now; returns when the last one is healed."""
        start = self._stage.clock.now()
        async with asyncio.TaskGroup() as group:
            for strike in self._strikes:
                group.create_task(self._one(strike, start), name=f"strike {strike.id}")

    async def heal_all(self) -> None:
        """Heal what is still open and note which strikes never came to their turn."""
        for strike in self._strikes:
            if strike.id not in self._begun:
                self._begun.add(strike.id)
                why = self._waits.get(strike.id, "it was due")
                self._say(strike, "not_carried_out", (), f"its phase was over before {why}")
        await asyncio.gather(*(self._heal(strike, victims) for strike, victims in [*self._open.values()]))

    async def _one(self, strike: PlannedStrike, start: float) -> None:
        clock = self._stage.clock
        await clock.sleep(start + strike.at_s - clock.now())
        victims = await self._admitted(strike)
        self._begun.add(strike.id)
        if not victims:
            self._say(strike, "missed", (), f"no instance of {strike.target.service!r} was up")
            return
        if self._harm.never(victims):
            self._say(strike, "not_carried_out", victims, self._harm.refuses(victims) or "")
            return
        if not await self._strike(strike, victims):
            return
        if strike.for_s is not None:
            await clock.sleep(strike.for_s)
        await self._heal(strike, victims)

    def _field(self, strike: PlannedStrike) -> Platform | Dependable:
        """Return what the strike is carried out on."""
        return against(self._faults[strike.id], self._stage.platform, self._stage.dependency)

    async def _admitted(self, strike: PlannedStrike) -> tuple[str, ...]:
        """Aim, waiting while too many instances are harmed already; what is returned is counted in."""
        field = self._field(strike)
        while True:
            victims = await self._aim(strike.target, field)
            # The outside service is no instance of the system.
            refused = self._harm.refuses(victims) if field is self._stage.platform else None
            if refused is None:
                self._harm.take(strike.id, victims if field is self._stage.platform else ())
                return victims
            if self._harm.never(victims):
                return victims
            if strike.id not in self._waits:
                self._waits[strike.id] = f"it could be carried out: {refused}"
                message = f"strike {strike.id} waits: {refused}"
                self._stage.record(Noted(t=self._stage.clock.now(), level="warning", message=message))
            await self._stage.clock.sleep(LOOK_S)

    async def _aim(self, target: Target, field: Platform | Dependable) -> tuple[str, ...]:
        """Choose the victims now, waiting for a busy one as long as the target allows."""
        clock = self._stage.clock
        give_up = clock.now() + target.wait_s
        while True:
            up = [i.name for i in field.instances(target.service) if i.ready]
            busy = [name for name in up if name in self._stage.progress.busy()]
            if clock.now() >= give_up or (busy if target.busy else up):
                break
            await clock.sleep(LOOK_S)
        candidates = busy if target.busy and busy else up
        if not candidates:
            return ()
        count = len(up) if target.count == 0 else min(target.count, len(candidates))
        if target.count == 0:
            return tuple(up)
        first = int(target.pick * len(candidates))
        return tuple((candidates * 2)[first : first + count])

    async def _strike(self, strike: PlannedStrike, victims: tuple[str, ...]) -> bool:
        """Write down, then do. Returns whether it landed; what was begun is healed even if it did not."""
        self._say(strike, "begin", victims)
        self._open[strike.id] = (strike, victims)
        lifetime_s = (strike.for_s or 0.0) + LIFE_S
        try:
            self._undo.about_to(strike.id, strike.fault, victims)
            with lasting(strike.id, lifetime_s):
                async with asyncio.timeout(STRIKE_LIMIT_S):
                    means = await self._faults[strike.id].strike(self._field(strike), victims)
        except Missed as miss:
            self._say(strike, "missed", victims, str(miss))
        except (CapsizeError, OSError, TimeoutError) as error:
            self._say(strike, "failed", victims, str(error) or f"no effect within {STRIKE_LIMIT_S:g} s")
        else:
            self._say(strike, "landed", victims, means or "", await self._effect(strike, victims))
            return True
        await self._heal(strike, victims)
        return False

    async def _heal(self, strike: PlannedStrike, victims: tuple[str, ...]) -> None:
        if strike.id not in self._open:
            return
        self._say(strike, "healing", victims, effect=await self._effect(strike, victims))
        try:
            async with asyncio.timeout(HEAL_LIMIT_S):
                told = await self._faults[strike.id].heal(self._field(strike), victims)
        except Exception as error:
            # Whatever it was: the others are to be healed too, and this one is told as what it is.
            self._open.pop(strike.id, None)
            self._say(strike, "heal_failed", victims, _told(error))
            return
        # Only now: a heal that was cancelled in the middle is begun again by heal_all.
        if self._open.pop(strike.id, None) is not None:
            self._harm.give_back(strike.id)
            self._forget(strike)
            self._say(strike, "healed", victims, told or "")

    def _forget(self, strike: PlannedStrike) -> None:
        try:
            self._undo.healed(strike.id)
        except OSError as error:
            message = f"strike {strike.id} is healed, but that could not be written down: {error}"
            self._stage.record(Noted(t=self._stage.clock.now(), level="warning", message=message))

    async def _effect(self, strike: PlannedStrike, victims: tuple[str, ...]) -> Effect | None:
        """Ask a fault on connections what it did so far; None when it can't tell, which proves nothing then."""
        fault = self._faults[strike.id]
        if not isinstance(fault, Evident):
            return None
        try:
            async with asyncio.timeout(EFFECT_LIMIT_S):
                return await fault.effect(self._field(strike), victims)
        except (CapsizeError, OSError, TimeoutError):
            return None

    def _say(
        self,
        strike: PlannedStrike,
        stage: StrikeStage,
        victims: tuple[str, ...],
        detail: str = "",
        effect: Effect | None = None,
    ) -> None:
        self._stage.record(
            Struck(
                t=self._stage.clock.now(),
                strike=strike.id,
                stage=stage,
                fault=strike.fault.name,
                victims=victims,
                detail=detail,
                links=effect.links if effect else (),
                mechanism=effect.mechanism if effect else "",
                hits=effect.hits if effect else None,
            )
        )


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"not healed within {HEAL_LIMIT_S:g} s"
    return str(error) if isinstance(error, CapsizeError | OSError) else f"{type(error).__name__}: {error}"
