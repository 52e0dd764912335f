"""Sleeps: the task type that chaos scenarios are made of."""

import asyncio
from typing import Annotated, Any

import msgspec

from capsize_starter.handlers.base import Context, Handler


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(ge=0.0, le=3600.0)]


async def run(payload: Delay, context: Context) -> dict[str, Any]:
    if payload.seconds > 0:
        await asyncio.sleep(payload.seconds)
    context.check()
    return {"seconds": payload.seconds}


HANDLER = Handler("delay", "Sleeps for some seconds and returns them.", Delay, run)
