"""A process that dies at a statement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from capsize.core.errors import HealError, Missed
from capsize.core.platform import Killable, Proxied, Startable
from capsize.faults.connections import MECHANISM, OnStatements, routes
from capsize.faults.victims import bring_back

ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
CALL_S = 10.0


class KillPoint(OnStatements, frozen=True, kw_only=True):
    """Kills the first victim that sends such a statement (SIGKILL), exactly between effect and acknowledgement.

    The server has carried the statement out, and its answer is held until the process is gone. With ``when``
    ``before`` the process dies before the statement reaches the server. Its restart policy brings it back.
    """

    name: ClassVar[str] = "kill_point"
    requires: ClassVar[tuple[type, ...]] = (Proxied, Killable, Startable)

    when: Literal["before", "after"] = "after"

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule that calls; the address is put in where it is known."""
        return "callback", {"when": self.when, "timeout_s": CALL_S}

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Wait for the statement, kill who sent it, and return when it is gone. Raises Missed."""
        dead: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = (await reader.readuntil(b"\r\n")).split()[1].decode()
            victim = path.removeprefix("/")
            try:
                if not dead.done():
                    await platform.kill(victim)
                    dead.set_result(victim)
            except Exception as error:
                if not dead.done():
                    dead.set_exception(error)
            finally:
                writer.write(ANSWER)
                writer.close()

        async with await asyncio.start_server(called, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await self._lay(platform, victims, port)
            try:
                async with asyncio.timeout(self.wait_s):
                    victim = await dead
            except TimeoutError:
                raise Missed(f"nobody sent such a statement within {self.wait_s:g} s") from None
        return f"{MECHANISM}, killed {victim} {self.when} the statement was carried out"

    async def heal(self, platform: Any, victims: Sequence[str]) -> str | None:
        """Take the rules off and wait until the victims are ready again."""
        try:
            told = await super().heal(platform, victims)
        except HealError:
            await bring_back(platform, victims)
            raise
        await bring_back(platform, victims)
        return told

    async def _lay(self, platform: Any, victims: Sequence[str], port: int) -> None:
        """Put a rule on each victim's connections that calls us with the victim's name."""
        if not routes(platform, victims, self.peer):
            await super().put(platform, victims)
        for victim in victims:
            for route, outgoing in routes(platform, [victim], self.peer):
                for number, body in enumerate(self.bodies(outgoing)):
                    body["attributes"]["url"] = f"http://127.0.0.1:{port}/{victim}"
                    named = {"name": f"{self._mark}-{number}", **body}
                    await platform.proxy("POST", f"/proxies/{route.name}/{self.KIND}", named)
