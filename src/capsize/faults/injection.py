"""One fault alone, without an experiment: struck at the beginning of a block, healed at its end, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from capsize.core.errors import CapsizeError, HealError, InjectionError, NotSupported, UsageError
from capsize.core.platform import Platform, Selective
from capsize.core.protocols import Fault
from capsize.core.registry import unknown
from capsize.core.waits import to_the_end

STRIKE_LIMIT_S = 30.0
HEAL_LIMIT_S = 60.0


@asynccontextmanager
async def inject(fault: Fault, platform: Platform, victims: Iterable[str]) -> AsyncIterator[Injection]:
    """Strike on entering, when the effect was seen enter the block, and heal on leaving it.

    ``victims`` are names of instances (``worker-1``) or of services (``worker``, all of its instances). It is
    healed at the block's end, on an exception and on cancellation alike, also when the strike itself failed or
    was cut short; a second cancellation does not cut the healing short. Raises UsageError for a victim that
    there is not and NotSupported for what the platform can't do, both before anything is touched; Missed when
    there was nothing to hit; InjectionError; and HealError, which names what is left.
    """
    names = aimed(platform, victims)
    reason = why_not(fault, platform)
    if reason is not None:
        raise NotSupported(f"the fault {fault.name!r} {reason}")
    injection = Injection(fault, names)
    try:
        injection.told = await _strike(fault, platform, names)
        yield injection
    finally:
        injection.healed = await to_the_end(heal(fault, platform, names))


class Injection:
    """A fault under way: whom it hit, by which means, and, once it is over, what the healing told."""

    def __init__(self, fault: Fault, victims: tuple[str, ...]) -> None:
        self.fault, self.victims = fault, victims
        self.told, self.healed = "", ""


async def heal(fault: Fault, platform: Any, victims: Sequence[str]) -> str:
    """Heal within the limit, and return what is worth telling. Raises HealError."""
    try:
        async with asyncio.timeout(HEAL_LIMIT_S):
            return await fault.heal(platform, victims) or ""
    except TimeoutError:
        why = f"it took longer than {HEAL_LIMIT_S:g} s"
    except HealError:
        raise
    except (CapsizeError, OSError) as error:
        why = str(error)
    raise HealError(f"{fault.name} on {', '.join(victims)} is not healed: {why}")


def aimed(platform: Platform, victims: Iterable[str]) -> tuple[str, ...]:
    """Return the instances that are meant by names of instances and services. Raises UsageError."""
    found, wanted = platform.instances(), list(victims)
    known = {text for one in found for text in (one.name, one.service)}
    for name in wanted:
        if name not in known:
            raise UsageError(unknown("service or instance", name, known))
    return tuple(one.name for one in found if {one.name, one.service} & set(wanted))


def why_not(fault: Fault | type[Fault], platform: Any) -> str | None:
    """Return why a platform can't have a fault, as the rest of "the fault ..."; None when it can."""
    missing = [need.__name__ for need in fault.requires if not isinstance(platform, need)]
    if missing:
        return f"needs a platform that is {' and '.join(missing)}; {platform.name!r} is not"
    if isinstance(platform, Selective):
        for why in filter(None, map(platform.lacks, fault.requires)):
            return f"can't be had here: {why}"
    return None


async def _strike(fault: Fault, platform: Any, victims: Sequence[str]) -> str:
    try:
        async with asyncio.timeout(STRIKE_LIMIT_S):
            return await fault.strike(platform, victims) or ""
    except TimeoutError:
        raise InjectionError(f"{fault.name} had no effect within {STRIKE_LIMIT_S:g} s") from None
    except OSError as error:
        raise InjectionError(f"{fault.name} could not be carried out: {error}") from error
