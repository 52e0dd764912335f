"""The stack that is up, as a platform of this process: its supervisor is asked for everything that it can do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from capsize.core.errors import CapsizeError, InjectionError, UsageError
from capsize.core.platform import Instance, Service
from capsize.core.waits import to_the_end
from capsize.guardian.registry import state_folder
from capsize.platforms.local import stack
from capsize.platforms.local.postgres import Superuser
from capsize.platforms.local.wire import Call, Offer, abilities, methods, raised, returned
from capsize.platforms.sessions import PostgresSession, Sessions

REPLY_LIMIT_S = 60.0
LINE_BYTES = 1 << 24


class AttachedPlatform:
    """Has the abilities of the stack's platform, and sessions on its database of this process's own.

    Made by :func:`attach`. ``down`` lets go of the stack and leaves it up.
    """

    def __init__(self, state: stack.StackState, offer: Offer, folder: Path | None) -> None:
        self.name = offer.name
        self.state, self.offer, self._folder = state, offer, folder
        self._superuser = None if offer.superuser_url is None else Superuser(offer.superuser_url)
        self._sessions: Sessions | None = None
        if offer.superuser_url is not None and state.database_url is not None:
            self._sessions = Sessions(offer.superuser_url, state.database_url, self.query)

    async def up(self, services: Sequence[Service]) -> None:
        """Raise UsageError: it is up."""
        raise UsageError("this stack is up already")

    async def down(self) -> None:
        """End the sessions on its database, and leave the stack as it is."""
        if self._sessions is not None:
            self._sessions.drop()
        if self._superuser is not None:
            self._superuser.drop()

    def instances(self, service: str | None = None) -> tuple[Instance, ...]:
        """Return the instances as of now. Raises CapsizeError when the stack is gone."""
        found = msgspec.convert(stack.ask("status", folder=self._folder), tuple[Instance, ...])
        return tuple(one for one in found if service in (None, one.service))

    @property
    def api_url(self) -> str:
        """Return the address of its API."""
        if self.state.api_url is None:
            raise UsageError("the stack has no API")
        return self.state.api_url

    @property
    def database_url(self) -> str:
        """Return the address of its database for the service's own user."""
        if self.state.database_url is None:
            raise UsageError("the stack has no database")
        return self.state.database_url

    def lacks(self, ability: type) -> str | None:
        """Return why an ability is not to be had from this stack."""
        return self.offer.abilities.get(ability.__name__)

    def alive(self) -> bool:
        """Return whether it is still this stack that is up."""
        return stack.read_state(self._folder or state_folder()) == self.state

    async def query(self, sql: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the database's superuser. Raises InjectionError."""
        if self._superuser is None:
            raise InjectionError("the stack has no database")
        return await self._superuser.query(sql, args)

    async def connect(self, label: str, *, as_service: bool = False) -> PostgresSession:
        """Open one more session on the database; it ends with this process at the latest."""
        if self._sessions is None:
            raise InjectionError("the stack has no database")
        return await self._sessions.connect(label, as_service=as_service)

    async def disconnect(self, label: str) -> None:
        """End all sessions under a label, whoever opened them."""
        if self._sessions is not None:
            await self._sessions.disconnect(label)

    async def ask(self, method: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Have the stack's platform carry out a method of an ability. Raises what it raised there.

        A cancellation is passed on, and comes through when the other side is done with it.
        """
        line = msgspec.json.encode(Call(call=method.__name__, args=args, more=more))
        try:
            reader, writer = await asyncio.open_unix_connection(self.state.socket, limit=LINE_BYTES)
        except OSError as error:
            raise CapsizeError(f"the stack does not answer, it was taken down perhaps: {error}") from error
        try:
            writer.write(line + b"\n")
            reading = asyncio.ensure_future(_reply(reader))
            try:
                answer = await asyncio.shield(reading)
            except asyncio.CancelledError:
                writer.write_eof()
                await to_the_end(_ended(reading))
                raise
        finally:
            writer.close()
        if answer.error is not None:
            raise raised(answer.kind, answer.error)
        return returned(method, answer.value)


def attach(folder: Path | None = None) -> AttachedPlatform:
    """Return the stack that is up as a platform. Raises UsageError when there is none. Blocks for milliseconds."""
    state = stack.read_state(folder or state_folder())
    if state is None:
        raise UsageError("no stack is up; start one with: capsize up")
    offer = msgspec.convert(stack.ask("offer", folder=folder), Offer)
    own: dict[str, Any] = {}
    for ability in offer.abilities:
        for name, method in methods(abilities()[ability]).items():
            own.setdefault(name, _passed_on(method))
    # Protocols are followed by having their methods: the class is made for what this stack can do.
    kind: type[AttachedPlatform] = type("AttachedPlatform", (AttachedPlatform,), own)
    return kind(state, offer, folder)


def _passed_on(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that asks the stack; one that only looks, and is no coroutine, blocks meanwhile."""

    async def call(self: AttachedPlatform, *args: Any, **more: Any) -> Any:
        return await self.ask(method, *args, **more)

    def look(self: AttachedPlatform, *args: Any, **more: Any) -> Any:
        line = msgspec.json.encode(Call(call=method.__name__, args=args, more=more)).decode()
        return returned(method, stack.ask(line, folder=self._folder))

    return call if inspect.iscoroutinefunction(method) else look


async def _reply(reader: asyncio.StreamReader) -> stack.Reply:
    try:
        async with asyncio.timeout(REPLY_LIMIT_S):
            line = await reader.readline()
    except TimeoutError:
        return stack.Reply(error=f"the stack did not answer within {REPLY_LIMIT_S:g} s")
    except OSError as error:
        return stack.Reply(error=f"the stack does not answer: {error}")
    return msgspec.json.decode(line, type=stack.Reply) if line else stack.Reply(error="the stack ended")


async def _ended(reading: asyncio.Future[stack.Reply]) -> None:
    await asyncio.wait({reading})
