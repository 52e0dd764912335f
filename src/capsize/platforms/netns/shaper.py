"""Puts shapes on namespaces, one for each key, and takes them off again."""

from __future__ import annotations

import asyncio
import sys
import zlib
from dataclasses import dataclass

from capsize.core.errors import HealError, InjectionError
from capsize.core.undo import Guard
from capsize.platforms.netns.kernel import Kernel, kernel
from capsize.platforms.netns.namespace import Namespace, run
from capsize.platforms.netns.shape import Plan, Shape, plan

START_S = 10.0
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass
class _On:
    """A shape that is on: how to undo it, and who holds its packets."""

    plan: Plan
    ticket: str
    delayer: asyncio.subprocess.Process | None = None


class Shaper:
    """Disturbs the traffic of whole namespaces; ``guard`` is told how to undo it before it is done."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._kernel: Kernel | None = None
        self._on: dict[str, _On] = {}

    async def kernel(self) -> Kernel:
        """Return what there is to work with, tried out once."""
        if self._kernel is None:
            self._kernel = await kernel()
        return self._kernel

    async def shape(self, key: str, where: Namespace, device: str, shape: Shape) -> str:
        """Put a shape on a namespace's device and return the mechanism's name.

        ``key`` names it, as an instance does. Raises NotSupported, and InjectionError when a command fails or
        there is a shape already: what was begun is taken off then.
        """
        if key in self._on:
            raise InjectionError(f"the network of {key} is disturbed already")
        chosen = plan(shape, await self.kernel(), where, device, _mark(key))
        if not chosen.commands:
            raise InjectionError("this shape changes nothing")
        self._on[key] = on = _On(chosen, self._guard.before(*chosen.undo))
        try:
            if chosen.queue is not None:
                on.delayer = await _delayer(where, chosen.queue, shape)
            for command in chosen.commands:
                await where.run(*command)
        except BaseException:
            await self.unshape(key)
            raise
        return chosen.mechanism

    async def unshape(self, key: str) -> None:
        """Take it off; nothing when there is none. Raises HealError naming what is left."""
        on = self._on.get(key)
        if on is None:
            return
        left = []
        for step in reversed(on.plan.undo):
            if step.gone is not None and (await run(step.gone))[0] != 0:
                continue
            code, said = await run(step.argv)
            if code not in step.ok:
                left.append(f"{' '.join(step.argv)}: {said}")
        if on.delayer is not None:
            await _end(on.delayer)
        if left:
            raise HealError(f"the network of {key} is still disturbed: {'; '.join(left)}")
        del self._on[key]
        self._guard.after(on.ticket)

    async def close(self) -> None:
        """Take all off."""
        for key in tuple(self._on):
            await self.unshape(key)


def _mark(key: str) -> str:
    """Return a short name of letters and digits that stands for a key."""
    number, text = zlib.crc32(key.encode()), ""
    while number:
        number, digit = divmod(number, 36)
        text = BASE36[digit] + text
    return text or "0"


async def _delayer(where: Namespace, queue: int, shape: Shape) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "capsize.platforms.netns.delayer", "--queue", str(queue)]
    command += ["--latency", str(shape.latency_ms), "--jitter", str(shape.jitter_ms)]
    process = await asyncio.create_subprocess_exec(
        *where.inside(*command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
    assert process.stderr is not None  # noqa: S101 - it was asked for as a pipe
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
    except TimeoutError:
        line = b""
    if line.strip() != b"ready":
        await _end(process)
        said = (await process.stderr.read()).decode(errors="replace").strip()[-300:]
        raise InjectionError(f"nobody holds the packets: {said or 'the process did not start in time'}")
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its standard input, at which it lets everything go, and wait."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(START_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
