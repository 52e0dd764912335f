"""The faults that are injected by hand into the stack that is up: struck, held, healed, and known by their files.

Each has an undo log of its own in the state folder, ``faults/<stack>/<id>.jsonl``, which says what it is, whom it
hit and which process holds it. A guardian heals it when that process dies.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from capsize.core.errors import CapsizeError, HealError, UsageError
from capsize.core.experiment import Spec
from capsize.core.registry import make
from capsize.core.undo import Run
from capsize.faults import FAULTS, heal, inject
from capsize.faults.injection import HEAL_LIMIT_S, STRIKE_LIMIT_S
from capsize.guardian.guardian import Guardian
from capsize.guardian.log import Book, Healed, OpenStrike, UndoLog, still_open
from capsize.guardian.owner import Owner
from capsize.guardian.registry import state_folder

if TYPE_CHECKING:
    from capsize.platforms.local.attached import AttachedPlatform

LOOK_S = 0.25
OLD_S = 60.0
LONGEST_S = 3600.0
"""How long a fault lasts that nobody ends."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be injected: the fault, whom it hits, and for how long (None: until it is ended)."""

    fault: Spec
    victims: tuple[str, ...]
    for_s: float | None


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that is injected now: its log, its strike, and the process that holds it, if that lives."""

    log: Path
    strike: OpenStrike
    holder: Owner | None


class StackGone(CapsizeError):
    """The stack was taken down while it was broken, and the fault with it."""


async def carry_out(platform: AttachedPlatform, plan: Plan, landed: Callable[[str, str], None]) -> str:
    """Strike, call ``landed`` with the injection's id and the means, hold, heal; return what the healing told.

    Raises what :func:`capsize.faults.inject` raises, and StackGone. What could not be healed stays in the log.
    """
    name = f"{plan.fault.name}-{secrets.token_hex(2)}"
    log = _folder(platform) / f"{name}.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fault, healed, told = make(FAULTS, plan.fault, "fault"), False, ""

    def played(by_guardian: Healed) -> None:
        nonlocal healed
        healed = healed or not by_guardian.left

    try:
        async with Guardian(log, tell=played) as guardian:
            await guardian.ready()
            undo = UndoLog(log)
            lasts = LONGEST_S if plan.for_s is None else plan.for_s
            # Written down first: the guardian's step reads it.
            undo.about_to(name, plan.fault, plan.victims)
            ticket = guardian.before(
                Run(argv=_by_guardian(name), limit_s=HEAL_LIMIT_S),
                ttl_s=lasts + STRIKE_LIMIT_S + HEAL_LIMIT_S,
            )
            try:
                async with inject(fault, platform, plan.victims) as injection:
                    landed(name, injection.told)
                    await _hold(platform, lasts)
                told = injection.healed
            except HealError:
                if platform.alive():
                    raise
                healed = True
            except BaseException:
                healed = True
                raise
            else:
                healed = True
            finally:
                if healed:
                    undo.healed(name)
                    guardian.after(ticket)
    finally:
        if healed:
            log.unlink(missing_ok=True)
    return told


def injected(platform: AttachedPlatform) -> list[Open]:
    """Return what is injected into the stack now, oldest first; logs of stacks that are gone are removed."""
    folder = _folder(platform)
    for other in folder.parent.glob("*"):
        # A guardian may be at work in one whose stack has just gone.
        if other != folder and time.time() - other.stat().st_mtime > OLD_S:
            shutil.rmtree(other, ignore_errors=True)
    found = []
    for log in folder.glob("*.jsonl"):
        owner = Book.read(log).owner
        lives = owner is not None and owner.here and owner.lives()
        found += [Open(log=log, strike=one, holder=owner if lives else None) for one in still_open(log)]
        if not lives and not still_open(log):
            log.unlink(missing_ok=True)
    return sorted(found, key=lambda one: one.strike.t)


def chosen(found: Sequence[Open], wanted: Sequence[str]) -> list[Open]:
    """Return those of some ids or faults, all when nothing is named. Raises UsageError for one that there is not."""
    for name in wanted:
        if not any(name in (one.strike.strike, one.strike.fault) for one in found):
            known = ", ".join(one.strike.strike for one in found) or "nothing"
            raise UsageError(f"{name!r} is not injected. Injected now: {known}")
    return [one for one in found if not wanted or {one.strike.strike, one.strike.fault} & set(wanted)]


def end(platform: AttachedPlatform, one: Open) -> None:
    """Have it healed by the process that holds it, or heal it here when there is none. Raises HealError."""
    if one.holder is not None:
        with suppress(ProcessLookupError):
            os.kill(one.holder.pid, signal.SIGTERM)
        limit = time.monotonic() + HEAL_LIMIT_S
        while one.holder.lives() and time.monotonic() < limit:
            time.sleep(0.02)
        if not still_open(one.log):
            return
    end_here(platform, one)
    one.log.unlink(missing_ok=True)


def end_here(platform: AttachedPlatform, one: Open) -> None:
    """Heal it in this process, whoever holds it. Raises HealError, unless the stack is gone."""
    fault = make(FAULTS, Spec(name=one.strike.fault, args=one.strike.args), "fault")
    try:
        asyncio.run(_heal(platform, one, fault))
    except HealError:
        if platform.alive():
            raise
    UndoLog(one.log).healed(one.strike.strike)


async def _heal(platform: AttachedPlatform, one: Open, fault: object) -> None:
    try:
        await heal(fault, platform, one.strike.victims)  # type: ignore[arg-type]
    finally:
        await platform.down()


async def _hold(platform: AttachedPlatform, seconds: float) -> None:
    """Wait; the end of the stack ends it. Raises StackGone."""
    end_at = time.monotonic() + seconds
    while (left := end_at - time.monotonic()) > 0:
        await asyncio.sleep(min(LOOK_S, left))
        if not platform.alive():
            raise StackGone("the stack was taken down, and the fault with it")


def _folder(platform: AttachedPlatform) -> Path:
    return state_folder() / "faults" / f"{platform.state.pid}-{platform.state.started:.0f}"


def _by_guardian(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "capsize", "fault", "heal", name, "--by-guardian")
