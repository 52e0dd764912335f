"""A toxic as it is attached to a proxy: its name, its direction, whom it hits, and how often it did."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import msgspec

from capsize.core.seed import stream as draws
from capsize.proxy.flow import Stream
from capsize.proxy.toxics import Toxic

if TYPE_CHECKING:
    from capsize.proxy.flow import Flow
    from capsize.proxy.link import Link
    from capsize.proxy.stage import Stage


class Attached:
    """One toxic of a proxy; hashed by identity, since its configuration changes.

    ``hits`` counts its effects (chunks held, cut or dropped; connections closed), ``connections`` those it
    was put on.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        toxic: Toxic,
        *,
        toxicity: float = 1.0,
        ttl: float | None = None,
        first_n: int | None = None,
        seed: int = 0,
    ) -> None:
        self.name, self.stream, self.toxic = name, stream, toxic
        self.toxicity, self.ttl, self.first_n, self.seed = toxicity, ttl, first_n, seed
        self.hits = 0
        self.connections = 0
        self.expiry: asyncio.TimerHandle | None = None
        # The links that first_n has counted already, by number: a change does not count them again.
        self._counted: set[int] = set()

    def chooses(self, link: Link) -> bool:
        """Tell whether it works on a connection; the same for the same seed and number, whenever asked."""
        if self._draw(link, "toxicity").random() >= self.toxicity:
            return False
        if link.number not in self._counted:
            if self.first_n is not None and self.connections >= self.first_n:
                return False
            self._counted.add(link.number)
            self.connections += 1
        return True

    def forget(self, link: Link) -> None:
        """Drop what is known of a connection that is over."""
        self._counted.discard(link.number)

    def make(self, flow: Flow) -> Stage:
        """Return the toxic at work on one direction of one connection."""
        return self.toxic.stage(flow, self, self._draw(flow.link, "work"))

    def cancel(self) -> None:
        """Stop the clock of its time to live."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it: Toxiproxy's fields first, then ours."""
        return {
            "attributes": msgspec.to_builtins(self.toxic),
            "name": self.name,
            "type": self.toxic.name,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "ttl": self.ttl,
            "first_n": self.first_n,
            "hits": self.hits,
            "connections": self.connections,
        }

    def _draw(self, link: Link, purpose: str) -> random.Random:
        return draws(self.seed, "proxy", link.proxy.name, self.name, link.number, purpose)
