"""Waiting for something to be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LIMIT_S = 30.0
LOOK_S = 0.01


async def until(seen: Callable[[], Any], limit_s: float = LIMIT_S) -> None:
    """Wait until a look is true; raises TimeoutError after a generous limit."""
    async with asyncio.timeout(limit_s):
        while not seen():  # noqa: ASYNC110 - what is looked at has no event to wait for
            await asyncio.sleep(LOOK_S)
