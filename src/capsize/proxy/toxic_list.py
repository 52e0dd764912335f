"""The toxics of one proxy, and their effect on its connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from capsize.proxy.attached import Attached
from capsize.proxy.errors import TOXIC_ALREADY_EXISTS, TOXIC_NOT_FOUND
from capsize.proxy.toxics import Toxic

if TYPE_CHECKING:
    from capsize.proxy.link import Link
    from capsize.proxy.proxy import Proxy


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an update changes; None leaves a field as it is."""

    toxic: Toxic | None = None
    toxicity: float | None = None
    ttl: float | None = None
    first_n: int | None = None


class Toxics:
    """The toxics in the order in which bytes pass them. A change is felt by live connections before it returns."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._all: list[Attached] = []

    def listed(self) -> list[Attached]:
        """Return all: first those of the upstream direction, as Toxiproxy does."""
        return sorted(self._all, key=lambda attached: attached.stream != "upstream")

    def get(self, name: str) -> Attached:
        """Return one. Raises ApiError 404."""
        for attached in self._all:
            if attached.name == name:
                return attached
        raise TOXIC_NOT_FOUND

    def add(self, attached: Attached) -> None:
        """Put a toxic at the end of its direction. Raises ApiError 409."""
        if any(other.name == attached.name for other in self._all):
            raise TOXIC_ALREADY_EXISTS
        self._all.append(attached)
        self._expire(attached)
        self._put_everywhere()

    def update(self, name: str, change: Change) -> Attached:
        """Change a toxic where it stands; what it holds is planned anew. Raises ApiError 404."""
        attached = self.get(name)
        attached.toxic = change.toxic if change.toxic is not None else attached.toxic
        attached.toxicity = change.toxicity if change.toxicity is not None else attached.toxicity
        attached.first_n = change.first_n if change.first_n is not None else attached.first_n
        if change.ttl is not None:
            attached.ttl = change.ttl
            self._expire(attached)
        self._put_everywhere()
        for link in tuple(self._proxy.links):
            if not link.over:
                flow = link.up if attached.stream == "upstream" else link.down
                flow.changed(attached)
        return attached

    def remove(self, name: str) -> None:
        """Take a toxic away; what it held goes on, in order. Raises ApiError 404."""
        attached = self.get(name)
        attached.cancel()
        self._all.remove(attached)
        self._put_everywhere()

    def clear(self) -> None:
        """Take all away."""
        for attached in self._all:
            attached.cancel()
        self._all.clear()
        self._put_everywhere()

    def replace(self, toxics: Sequence[Attached]) -> None:
        """Have these and no others."""
        self.clear()
        for attached in toxics:
            self.add(attached)

    def put(self, link: Link) -> None:
        """Make the toxics at work on a connection be those that are meant for it."""
        for flow in link.flows():
            if link.over:
                return
            flow.put([one for one in self._all if one.stream == flow.stream and one.chooses(link)])

    def forget(self, link: Link) -> None:
        """Drop what is known of a connection that is over."""
        for attached in self._all:
            attached.forget(link)

    def _put_everywhere(self) -> None:
        for link in sorted(self._proxy.links, key=lambda one: one.number):
            if link.started and not link.over:
                self.put(link)

    def _expire(self, attached: Attached) -> None:
        attached.cancel()
        if attached.ttl is not None:
            attached.expiry = self._proxy.loop.call_later(attached.ttl, self.remove, attached.name)
