"""arq: ``@capsize_witness.arq.witnessed`` above ``class WorkerSettings`` is all."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from arq.worker import Function

from capsize_witness.announcing import announce_soon, wanted
from capsize_witness.running import running_async

Settings = TypeVar("Settings", bound=type)
Hook = Callable[[dict[str, Any]], Awaitable[None]]


def witnessed(settings: Settings) -> Settings:
    """Announce each run of each function of the settings, and when arq has written its result down."""
    done: set[str] = set()
    settings.functions = [_told(function, done) for function in settings.functions]  # type: ignore[attr-defined]
    settings.after_job_end = _recorded(getattr(settings, "after_job_end", None), done)  # type: ignore[attr-defined]
    return settings


def _told(function: Any, done: set[str]) -> Any:
    if isinstance(function, Function):
        return replace(function, coroutine=_told(function.coroutine, done))

    @functools.wraps(function)
    async def told(ctx: dict[str, Any], *args: Any, **named: Any) -> Any:
        async with running_async(ctx["job_id"], kind=function.__name__):
            result = await function(ctx, *args, **named)
        if wanted(function.__name__):
            done.add(ctx["job_id"])
        return result

    return told


def _recorded(before: Hook | None, done: set[str]) -> Hook:
    async def after_job_end(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] in done:
            done.discard(ctx["job_id"])
            await announce_soon("recorded", ctx["job_id"])
        if before is not None:
            await before(ctx)

    return after_job_end
