"""What the faults on connections have in common: finding the proxies, putting something on them, taking it off."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.core.errors import CapsizeError, HealError, InjectionError, Missed
from capsize.core.platform import Proxied, Route
from capsize.core.protocols import Effect

MECHANISM = "proxy"
LOOK_S, LOOK_SELDOM_S = 0.02, 0.3
WAIT_MAX_S = 25.0
"""A strike has 30 seconds to land."""

Wait = Annotated[float, msgspec.Meta(gt=0, le=WAIT_MAX_S)]
Toxic = tuple[str, Literal["upstream", "downstream"], dict[str, Any]]
"""A toxic's type, its direction (``upstream`` is away from whoever connected), and its attributes."""


class OnConnections(msgspec.Struct, frozen=True, kw_only=True):
    """A fault on the proxied connections between its victims and the service ``peer``, in whichever direction made.

    It has landed when it has touched traffic: on connections over which nothing passes within ``wait_s`` it is
    missed. Two that are the same in everything can't be on one connection at once, but for another ``label``.
    """

    requires: ClassVar[tuple[type, ...]] = (Proxied,)
    name: ClassVar[str] = ""
    KIND: ClassVar[str] = ""

    peer: str = "postgres"
    label: str = ""

    def bodies(self, outgoing: bool) -> list[dict[str, Any]]:
        """Return what is put on one connection; ``outgoing`` if the victim is the one that connected."""
        raise NotImplementedError

    @property
    def patience_s(self) -> float:
        """Return how long to wait for traffic."""
        raise NotImplementedError

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Put it on and return when it has touched traffic. Raises Missed, or InjectionError without a proxy."""
        found = await self.put(platform, victims)
        give_up, pause_s = time.monotonic() + self.patience_s, LOOK_S
        while time.monotonic() < give_up:
            if (await self.effect(platform, victims)).hits:
                return f"{MECHANISM} on {', '.join(route.name for route, _ in found)}"
            await asyncio.sleep(pause_s)
            # Many may wait at once, some for long: their looking must not be what the machine is busy with.
            pause_s = min(LOOK_SELDOM_S, pause_s * 1.5)
        raise Missed(f"nothing that it is about passed within {self.patience_s:g} s")

    async def heal(self, platform: Any, victims: Sequence[str]) -> str | None:
        """Take it off and tell how often it touched traffic; nothing where it is not."""
        hits = 0
        try:
            for route, _ in routes(platform, victims, self.peer):
                for one in await self._ours(platform, route):
                    await platform.proxy("DELETE", f"/proxies/{route.name}/{self.KIND}/{one['name']}")
                    hits += one["hits"]
        except CapsizeError as error:
            raise HealError(f"{self.name} on {', '.join(victims)} is not taken off: {error}") from error
        return f"{hits} hits" if hits else None

    async def effect(self, platform: Any, victims: Sequence[str]) -> Effect:
        """Add up how often it touched traffic."""
        found = [route for route, _ in routes(platform, victims, self.peer)]
        hits = [one["hits"] for route in found for one in await self._ours(platform, route)]
        return Effect(links=tuple(route.name for route in found), mechanism=MECHANISM, hits=sum(hits))

    async def put(self, platform: Any, victims: Sequence[str]) -> list[tuple[Route, bool]]:
        """Put it on every connection. Raises InjectionError."""
        found = routes(platform, victims, self.peer)
        if not found:
            raise InjectionError(
                f"no connection between {', '.join(victims)} and {self.peer} goes through a proxy; "
                "the experiment has to name that link"
            )
        for route, outgoing in found:
            for number, body in enumerate(self.bodies(outgoing)):
                named = {"name": f"{self._mark}-{number}", **body}
                await platform.proxy("POST", f"/proxies/{route.name}/{self.KIND}", named)
        return found

    @property
    def _mark(self) -> str:
        """Return what its toxics and rules are known by: its name and its arguments, so that healing needs no memory."""
        digest = hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12]
        return f"{self.name}-{digest}"

    async def _ours(self, platform: Any, route: Route) -> list[dict[str, Any]]:
        listed = await platform.proxy("GET", f"/proxies/{route.name}/{self.KIND}")
        return [one for one in listed if one["name"].startswith(f"{self._mark}-")]


class OnBytes(OnConnections, frozen=True, kw_only=True):
    """A fault made of toxics, which work on any connection, encrypted or not."""

    KIND: ClassVar[str] = "toxics"

    wait_s: Wait = 5.0

    @property
    def patience_s(self) -> float:
        """Return how long to wait for traffic."""
        return self.wait_s

    def toxics(self, outgoing: bool) -> list[Toxic]:
        """Return the toxics for one connection."""
        raise NotImplementedError

    def bodies(self, outgoing: bool) -> list[dict[str, Any]]:
        """Return the toxics as the proxy takes them."""
        return [
            {"type": kind, "stream": stream, "attributes": attributes}
            for kind, stream, attributes in self.toxics(outgoing)
        ]


class OnStatements(OnConnections, frozen=True, kw_only=True):
    """A fault made of one rule on PostgreSQL statements; the connection must not be encrypted.

    ``statement`` is a regular expression that the text fits; ``transaction`` one that what the same transaction
    did before it must fit as well. With ``alone`` the statement stands outside of any transaction. The first
    ``skip`` that fit are passed, ``first_n`` on each connection's proxy are struck (None: all).
    """

    KIND: ClassVar[str] = "rules"

    statement: str
    transaction: str | None = None
    alone: bool = False
    first_n: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    wait_s: Wait = WAIT_MAX_S

    @property
    def patience_s(self) -> float:
        """Return how long to wait for such a statement."""
        return self.wait_s

    def action(self) -> tuple[str, dict[str, Any]]:
        """Return the rule's type and attributes."""
        raise NotImplementedError

    def bodies(self, outgoing: bool) -> list[dict[str, Any]]:
        """Return the rule as the proxy takes it."""
        kind, attributes = self.action()
        match: dict[str, Any] = {"regex": self.statement, "alone": self.alone}
        if self.transaction is not None:
            match["transaction"] = self.transaction
        return [
            {
                "type": kind,
                "match": match,
                "attributes": attributes,
                "first_n": self.first_n,
                "skip": self.skip,
            }
        ]


def routes(platform: Any, victims: Sequence[str], peer: str) -> list[tuple[Route, bool]]:
    """Return the proxied connections between victims and a service, and whether the victim connected."""
    return [
        (route, route.source in victims)
        for route in platform.routes()
        if (route.source in victims and route.target_service == peer)
        or (route.target in victims and route.source_service == peer)
    ]


def from_victim(outgoing: bool) -> Literal["upstream", "downstream"]:
    """Return the direction of what the victim sends."""
    return "upstream" if outgoing else "downstream"


def to_victim(outgoing: bool) -> Literal["upstream", "downstream"]:
    """Return the direction of what the victim receives."""
    return "downstream" if outgoing else "upstream"
