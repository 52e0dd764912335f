"""What the faults have in common: hitting several victims at once, and bringing them back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from capsize.core.errors import CapsizeError, HealError, InjectionError, Missed
from capsize.core.platform import Instance, Platform, Startable


def present(platform: Platform, victims: Sequence[str]) -> list[Instance]:
    """Return those victims that the platform still has; scaling may have taken some away."""
    return [instance for instance in platform.instances() if instance.name in victims]


async def hit(platform: Platform, victims: Sequence[str], blow: Callable[[str], Awaitable[None]]) -> None:
    """Strike all victims side by side and see that the process of each that was hit is not the one before.

    Raises Missed when no victim was there to be hit, and InjectionError when a blow did not work.
    """
    before = [instance for instance in present(platform, victims) if instance.pid is not None]
    hits = await hit_each([instance.name for instance in before], blow)
    now = {instance.name: instance.pid for instance in platform.instances()}
    for instance in before:
        if instance.name in hits and now.get(instance.name) == instance.pid:
            raise InjectionError(f"{instance.name} is still the process {instance.pid}")


async def hit_each(names: Sequence[str], blow: Callable[[str], Awaitable[None]]) -> set[str]:
    """Strike side by side and return who was hit; a miss among hits is no error. Raises as :func:`hit`."""
    results = await asyncio.gather(*(blow(name) for name in names), return_exceptions=True)
    misses: list[str] = []
    for result in results:
        if isinstance(result, Missed):
            misses.append(str(result))
        elif isinstance(result, InjectionError) or (
            isinstance(result, BaseException) and not isinstance(result, CapsizeError)
        ):
            raise result
        elif isinstance(result, CapsizeError):
            raise InjectionError(str(result)) from result
    if len(misses) == len(results):
        raise Missed("; ".join(misses) or "none of the victims was running")
    return {name for name, result in zip(names, results, strict=True) if result is None}


async def bring_back(platform: Platform, victims: Sequence[str]) -> None:
    """Have all victims up and ready, those that the platform still has. Raises HealError."""
    if not isinstance(platform, Startable):
        raise HealError(f"{platform.name!r} can't start {', '.join(victims)} again")
    await heal_each([instance.name for instance in present(platform, victims)], platform.start)


async def heal_each(names: Sequence[str], cure: Callable[[str], Awaitable[None]]) -> None:
    """Heal side by side, every one even when another fails. Raises HealError naming all that failed."""
    results = await asyncio.gather(*(cure(name) for name in names), return_exceptions=True)
    failed = [
        (name, result)
        for name, result in zip(names, results, strict=True)
        if isinstance(result, BaseException)
    ]
    for _, result in failed:
        if not isinstance(result, CapsizeError | OSError):
            raise result
    if failed:
        raise HealError("; ".join(f"{name} is not back: {result}" for name, result in failed))
