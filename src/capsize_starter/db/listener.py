"""LISTEN on a connection of its own that comes back by itself after any outage."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from capsize_starter.db.errors import Unavailable, is_outage
from capsize_starter.db.pool import Connection, Database
from capsize_starter.log import EventLog

log = EventLog("starter.db")

CHECK_S = 5.0
BACKOFF_MAX_S = 1.0


class Listener:
    """Calls `on_notify(channel, payload)` for each notification.

    `on_connect()` is called after each (re)connection: whatever was notified in between was missed, so the owner
    looks for itself. A listener is a hint, never the only way to learn of something.
    """

    def __init__(
        self,
        database: Database,
        channels: Sequence[str],
        on_notify: Callable[[str, str], None],
        on_connect: Callable[[], None],
    ) -> None:
        self._database = database
        self._channels = channels
        self._on_notify = on_notify
        self._on_connect = on_connect

    async def run(self) -> None:
        """Listen until cancelled."""
        backoff_s = 0.05
        while True:
            try:
                connection = await self._database.connect()
            except Unavailable as error:
                log.debug("listener.waiting", error=str(error))
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
                continue
            backoff_s = 0.05
            try:
                await self._listen(connection)
            except Exception as error:
                if not (isinstance(error, Unavailable) or is_outage(error)):
                    log.exception("listener.failed")
                # A server that accepts and then fails must not be asked in a tight loop.
                await asyncio.sleep(backoff_s)
            finally:
                connection.terminate()

    async def _listen(self, connection: Connection) -> None:
        """Serve one connection until it breaks; a silent one is checked every few seconds."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())

        def notified(_connection: Any, _pid: int, channel: str, payload: object) -> None:
            self._on_notify(channel, str(payload))

        for channel in self._channels:
            async with asyncio.timeout(CHECK_S):
                await connection.add_listener(channel, notified)
        self._on_connect()
        while not lost.is_set():
            try:
                async with asyncio.timeout(CHECK_S):
                    await lost.wait()
            except TimeoutError:
                async with asyncio.timeout(CHECK_S):
                    await connection.execute("SELECT 1")
