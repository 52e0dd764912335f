"""The process that holds a stack up: started by :func:`capsize.platforms.local.stack.up`.

It reads an :class:`Order` from standard input, says on standard output what it does until the stack is up,
and then listens on a Unix socket: one command per connection, one line, answered by one line of JSON. What
was asked for is given up when whoever asked for it is gone. It ends on ``down``, SIGTERM or SIGINT, and takes the stack down with it.
Should it die, its guardian does so.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError, StartError, UsageError
from capsize.core.events import Event, InstanceChanged, Noted
from capsize.core.platform import Selective
from capsize.core.undo import RemoveFolder
from capsize.guardian.guardian import Guardian
from capsize.guardian.log import Healed
from capsize.guardian.playing import heal_log
from capsize.journal import Journal
from capsize.platforms.local.platform import LocalPlatform
from capsize.platforms.local.stack import Order, Reply, StackState, lock
from capsize.platforms.local.wire import Call, Offer, abilities, carry_out

if TYPE_CHECKING:
    from capsize.platforms.docker.platform import DockerPlatform

LINE_LIMIT_S = 5.0
LOCK_TRIES, LOCK_EVERY_S = 10, 0.02


class Supervisor:
    """Holds one stack, and does what it is told on a socket."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._folder = Path(order.folder)
        self._logs = self._folder / "logs"
        self._place = Path(tempfile.gettempdir()) / f"capsize-control-{secrets.token_hex(6)}"
        self._guard = Guardian(self._folder / "undo.jsonl", tell=self._undone, warn=self._warn)
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir(parents=True)
        self._journal = Journal(self._logs / "events.jsonl")
        self._clock = MonotonicClock()
        self._platform = self._made()
        self._over = asyncio.Event()
        self._down: asyncio.Event = asyncio.Event()
        self._rising = True

    def _made(self) -> LocalPlatform | DockerPlatform:
        order = self._order
        kind: type[LocalPlatform] | type[DockerPlatform] = LocalPlatform
        if order.platform == "docker":
            # Imported here: nobody else needs the engine's client.
            from capsize.platforms.docker.platform import DockerPlatform as kind
        return kind(self._logs, self._record, self._clock, order.fields, links=order.links, guard=self._guard)

    async def run(self) -> None:
        """Bring the stack up, serve until told to stop, and take it down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        try:
            self._clear_log()
            async with self._guard:
                await self._hold()
        except CapsizeError as error:
            say(Reply(error=str(error)))
        finally:
            self._journal.close()

    async def _hold(self) -> None:
        ticket = self._guard.before(RemoveFolder(path=str(self._place)))
        try:
            self._place.mkdir(mode=0o700)
            if await self._up():
                async with await asyncio.start_unix_server(self._serve, self._place / "control"):
                    self._announce()
                    await self._over.wait()
                    await self._platform.down()
                    self._down.set()
                    (self._folder / "stack.json").unlink(missing_ok=True)
        finally:
            await self._platform.down()
            shutil.rmtree(self._place, ignore_errors=True)
            self._guard.after(ticket)

    def _clear_log(self) -> None:
        """Heal what an earlier supervisor left and nobody healed. We hold the lock: it is dead. Raises StartError."""
        left = [what for healed in heal_log(self._guard.log.path) for what in healed.left]
        if left:
            raise StartError(f"an earlier stack is still there: {'; '.join(left)}")
        self._guard.log.path.unlink(missing_ok=True)

    def _undone(self, healed: Healed) -> None:
        what = "; ".join(healed.left or healed.steps)
        self._warn(f"left on the machine: {what}" if healed.left else f"the guardian had to {what}")

    def _warn(self, message: str) -> None:
        self._journal.record(Noted(t=self._clock.now(), level="warning", message=message))

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
            platform=self._platform.name,
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
        elif self._rising and isinstance(event, Noted):
            say(Reply(news=event.message))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, ValueError), closing(writer):
            async with asyncio.timeout(LINE_LIMIT_S):
                line = await reader.readline()
            answering = asyncio.create_task(self._answer(line.strip()))
            # No more is said by whoever asked: the end of its words means that it is gone, or has thought better.
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                answering.cancel()
                await asyncio.wait({answering})
            leaving.cancel()
            reply = Reply(error="given up") if answering.cancelled() else answering.result()
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()

    async def _answer(self, line: bytes) -> Reply:
        try:
            return Reply(value=await self._obey(line))
        except CapsizeError as error:
            return Reply(error=str(error), kind=type(error).__name__)

    async def _obey(self, line: bytes) -> Any:
        match line:
            case b"status":
                return self._platform.instances()
            case b"offer":
                return self._offer()
            case b"down":
                self._over.set()
                await self._down.wait()
                return None
        try:
            call = msgspec.json.decode(line, type=Call)
        except msgspec.DecodeError as error:
            raise UsageError(f"not a command: {line.decode(errors='replace')!r}: {error}") from error
        return await carry_out(self._platform, call)

    def _offer(self) -> Offer:
        """Return what the platform can do, and why not where the machine or this stack does not allow it."""
        on = self._platform
        had = {name: kind for name, kind in abilities().items() if isinstance(on, kind)}
        why = {name: on.lacks(kind) if isinstance(on, Selective) else None for name, kind in had.items()}
        if "Proxied" in why and not self._order.links:
            why["Proxied"] = "its connections go through no proxy; start it with: capsize up --proxied"
        return Offer(
            name=on.name,
            abilities=why,
            superuser_url=on.superuser_url,
            prepared={one.name: one.prepared for one in self._order.services},
        )


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
