"""For faults whose means depend on the machine: striking several victims and telling what was used on each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from capsize.core.errors import HealError
from capsize.core.platform import Startable
from capsize.faults.victims import bring_back, heal_each, hit_each, present


async def strike_each(platform: Any, victims: Sequence[str], blow: Callable[[str], Awaitable[str]]) -> str:
    """Strike side by side those that run and return what each blow told. Raises Missed and InjectionError."""
    told: dict[str, str] = {}

    async def one(name: str) -> None:
        told[name] = await blow(name)

    names = [instance.name for instance in present(platform, victims) if instance.pid is not None]
    await hit_each(names, one)
    return _together(told)


async def mend_each(
    platform: Any, victims: Sequence[str], cure: Callable[[str], Awaitable[str | None]]
) -> str:
    """Heal side by side, also those that are down, and return what each cure told. Raises HealError."""
    told: dict[str, str] = {}

    async def one(name: str) -> None:
        told[name] = await cure(name) or ""

    await heal_each([instance.name for instance in present(platform, victims)], one)
    return _together(told)


async def have_back(platform: Any, victims: Sequence[str]) -> None:
    """Have those up again that ended of what was done to them. Raises HealError."""
    if _startable(platform):
        await bring_back(platform, victims)
    elif down := [one.name for one in present(platform, victims) if one.pid is None]:
        raise HealError(f"{', '.join(down)} is down, and {platform.name!r} can't start it again")


def _startable(platform: Any) -> bool:
    return isinstance(platform, Startable)


def _together(told: dict[str, str]) -> str:
    """Return one text, once when it is the same for all."""
    texts = {text for text in told.values() if text}
    if len(texts) <= 1:
        return next(iter(texts), "")
    return "; ".join(f"{name}: {text}" for name, text in told.items() if text)
