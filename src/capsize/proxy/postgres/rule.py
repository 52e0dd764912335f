"""A rule: which statements, what is done to them, and how often."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from capsize.core.seed import stream as draws
from capsize.proxy.postgres.actions import Action
from capsize.proxy.postgres.actions.base import Call
from capsize.proxy.postgres.match import Match

CACHED_TEXTS_MAX = 2_000
CACHED_TEXT_BYTES_MAX = 4 * 1024


class Rule:
    """One rule of a proxy.

    ``matched`` counts the statements that fit, ``hits`` those that it was carried out on: after the first
    ``skip`` of them, with ``probability``, at most ``first_n`` times. ``failed`` counts actions that went
    wrong (a callback that was not answered), with the last reason.
    """

    def __init__(
        self,
        name: str,
        match: Match,
        action: Action,
        *,
        probability: float = 1.0,
        first_n: int | None = None,
        skip: int = 0,
        ttl: float | None = None,
        seed: int = 0,
        call: Call | None = None,
    ) -> None:
        self.name, self.match, self.action, self.call = name, match, action, call
        self.probability, self.first_n, self.skip, self.ttl = probability, first_n, skip, ttl
        self.matched = self.hits = self.failed = 0
        self.last_error = ""
        self.expiry: asyncio.TimerHandle | None = None
        self._draw: random.Random = draws(seed, "proxy", "rule", name)

    def fires(self) -> bool:
        """Count a statement that fits, and tell whether the rule is carried out on it."""
        self.matched += 1
        if self.matched <= self.skip or (self.first_n is not None and self.hits >= self.first_n):
            return False
        if self.probability < 1.0 and self._draw.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def missed(self) -> None:
        """Take back a hit that had no effect after all."""
        self.hits -= 1

    def wrong(self, error: BaseException) -> None:
        """Note that the action could not be carried out."""
        self.failed += 1
        self.last_error = f"{type(error).__name__}: {error}"

    def cancel(self) -> None:
        """Stop the clock of its time to live."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "attributes": msgspec.to_builtins(self.action),
            "name": self.name,
            "type": self.action.name,
            "match": msgspec.to_builtins(self.match),
            "probability": self.probability,
            "first_n": self.first_n,
            "skip": self.skip,
            "ttl": self.ttl,
            "matched": self.matched,
            "hits": self.hits,
            "failed": self.failed,
            "last_error": self.last_error,
        }


class Matcher:
    """Tells which of a list of rules fit a text; remembers the answers, since services repeat themselves."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rule for rule in rules if not rule.match.startup)
        self.startup = tuple(rule for rule in rules if rule.match.startup)
        self.contextual = any(rule.match.contextual for rule in rules)
        self._known: dict[bytes, tuple[Rule, ...]] = {}

    def fitting(self, text: bytes) -> tuple[Rule, ...]:
        """Return the rules that fit, in their order, fired or not."""
        known = self._known.get(text)
        if known is not None:
            return known
        # A text in another encoding still has its ASCII words.
        decoded = text.decode("utf-8", "replace")
        found = tuple(rule for rule in self.rules if rule.match.holds(decoded))
        if len(text) <= CACHED_TEXT_BYTES_MAX:
            if len(self._known) >= CACHED_TEXTS_MAX:
                self._known.clear()
            self._known[text] = found
        return found
