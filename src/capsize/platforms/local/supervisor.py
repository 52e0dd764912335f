"""The process that holds a stack up: started by :func:`capsize.platforms.local.stack.up`.

It reads an :class:`Order` from standard input, says on standard output what it does until the stack is up,
and then listens on a Unix socket: one command per connection, one line of words, answered by one line of
JSON. It ends on ``down``, SIGTERM or SIGINT, and takes the stack down with it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError, UsageError
from capsize.core.events import Event, InstanceChanged
from capsize.journal import Journal
from capsize.platforms.local.platform import LocalPlatform
from capsize.platforms.local.stack import Order, Reply, StackState, lock

ON_INSTANCE = ("kill", "terminate", "stop", "start", "pause", "resume")
LINE_LIMIT_S = 5.0
LOCK_TRIES, LOCK_EVERY_S = 10, 0.02


class Supervisor:
    """Holds one stack, and does what it is told on a socket."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._folder = Path(order.folder)
        self._logs = self._folder / "logs"
        self._place = Path(tempfile.mkdtemp(prefix="capsize-control-"))
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir(parents=True)
        self._journal = Journal(self._logs / "events.jsonl")
        self._platform = LocalPlatform(self._logs, self._record, MonotonicClock(), order.fields)
        self._over = asyncio.Event()
        self._down: asyncio.Event = asyncio.Event()
        self._rising = True

    async def run(self) -> None:
        """Bring the stack up, serve until told to stop, and take it down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        try:
            if await self._up():
                async with await asyncio.start_unix_server(self._serve, self._place / "control"):
                    self._announce()
                    await self._over.wait()
                    await self._platform.down()
                    self._down.set()
                    (self._folder / "stack.json").unlink(missing_ok=True)
        except CapsizeError as error:
            say(Reply(error=str(error)))
        finally:
            await self._platform.down()
            self._journal.close()
            shutil.rmtree(self._place, ignore_errors=True)

    async def _up(self) -> bool:
        """Start everything; False when told to stop meanwhile."""
        rising = asyncio.create_task(self._platform.up(self._order.services))
        stopping = asyncio.create_task(self._over.wait())
        await asyncio.wait({rising, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if rising.done():
            stopping.cancel()
            rising.result()
            return True
        rising.cancel()
        await asyncio.wait({rising})
        return False

    def _announce(self) -> None:
        state = StackState(
            pid=os.getpid(),
            socket=str(self._place / "control"),
            logs=str(self._logs),
            started=time.time(),
            api_url=_or_none(lambda: self._platform.api_url),
            database_url=_or_none(lambda: self._platform.database_url),
        )
        fresh = self._folder / "stack.json.new"
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        fresh.replace(self._folder / "stack.json")
        self._rising = False
        say(Reply(value=state))
        # Whoever started it goes its own way now.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.close(null)

    def _record(self, event: Event) -> None:
        self._journal.record(event)
        if self._rising and isinstance(event, InstanceChanged):
            say(Reply(news=f"{event.instance} {event.state}"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, ValueError), closing(writer):
            async with asyncio.timeout(LINE_LIMIT_S):
                words = (await reader.readline()).decode().split()
            reply = await self._answer(words)
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()

    async def _answer(self, words: list[str]) -> Reply:
        try:
            return Reply(value=await self._obey(words))
        except CapsizeError as error:
            return Reply(error=str(error))

    async def _obey(self, words: list[str]) -> Any:
        match words:
            case ["status"]:
                return self._platform.instances()
            case ["down"]:
                self._over.set()
                await self._down.wait()
            case ["restart", name]:
                await self._platform.stop(name)
                await self._platform.start(name)
            case ["scale", service, count] if count.isdecimal():
                await self._platform.scale(service, int(count))
            case [verb, name] if verb in ON_INSTANCE:
                await getattr(self._platform, verb)(name)
            case _:
                raise UsageError(
                    f"not a command: {' '.join(words)!r}. Known: status, down, restart NAME, "
                    f"scale SERVICE COUNT, and {', '.join(ON_INSTANCE)} with the NAME of an instance"
                )
        return None


def say(reply: Reply) -> None:
    """Write one line to whoever started us; it may be gone."""
    with suppress(OSError):
        os.write(1, msgspec.json.encode(reply) + b"\n")


def _take_lock(folder: Path) -> bool:
    """Take the lock for as long as this process lives. Whoever looks whether it is held has it for a moment."""
    for _ in range(LOCK_TRIES):
        if lock(folder) is not None:
            return True
        time.sleep(LOCK_EVERY_S)
    return False


def _or_none(read: Callable[[], str]) -> str | None:
    try:
        return read()
    except UsageError:
        return None


async def _main(order: Order) -> None:
    await Supervisor(order).run()


def main() -> int:
    """Hold the stack of the order on standard input; the exit code is 64 when another one is up."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if not _take_lock(Path(order.folder)):
        say(Reply(error="a stack is up already, or being started. `capsize status` shows it"))
        return 64
    asyncio.run(_main(order))
    return 0


if __name__ == "__main__":
    sys.exit(main())
