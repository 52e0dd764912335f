"""The PostgreSQL rules of one proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from capsize.proxy.errors import RULE_ALREADY_EXISTS, RULE_NOT_FOUND, RULES_DO_NOT_APPLY
from capsize.proxy.postgres.actions import Action
from capsize.proxy.postgres.match import Match
from capsize.proxy.postgres.rule import Matcher, Rule

if TYPE_CHECKING:
    from capsize.proxy.proxy import Proxy

_HINTS = {
    "TLS": "they are encrypted (TLS), so only byte-level toxics work on them; connect with sslmode=disable",
    "GSS encryption": "they are encrypted (GSS), so only byte-level toxics work on them; connect with gssencmode=disable",
    "cancel request": "",
    "not PostgreSQL": "they do not speak PostgreSQL's protocol",
}


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an update changes; None leaves a field as it is."""

    match: Match | None = None
    action: Action | None = None
    probability: float | None = None
    first_n: int | None = None
    skip: int | None = None
    ttl: float | None = None


class Rules:
    """The rules in the order in which they are tried; they apply to the next statement of every live connection."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._all: list[Rule] = []
        self.matcher = Matcher()

    def listed(self) -> list[Rule]:
        """Return all."""
        return list(self._all)

    def get(self, name: str) -> Rule:
        """Return one. Raises ApiError 404."""
        for rule in self._all:
            if rule.name == name:
                return rule
        raise RULE_NOT_FOUND

    def add(self, rule: Rule) -> None:
        """Add a rule behind the others. Raises ApiError 409, or 400 when the proxy follows no PostgreSQL."""
        if self._proxy.protocol == "tcp":
            raise RULES_DO_NOT_APPLY.because(
                f"the proxy {self._proxy.name!r} was made with protocol tcp; make it with auto or postgres"
            )
        if any(other.name == rule.name for other in self._all):
            raise RULE_ALREADY_EXISTS
        self._all.append(rule)
        self._expire(rule)
        self._changed()

    def update(self, name: str, change: RuleChange) -> Rule:
        """Change a rule; its counters go on. Raises ApiError 404."""
        rule = self.get(name)
        for field in ("match", "action", "probability", "first_n", "skip", "ttl"):
            value = getattr(change, field)
            if value is not None:
                setattr(rule, field, value)
        if change.ttl is not None:
            self._expire(rule)
        self._changed()
        return rule

    def remove(self, name: str) -> None:
        """Take a rule away; what it is doing just now it finishes. Raises ApiError 404."""
        rule = self.get(name)
        rule.cancel()
        self._all.remove(rule)
        self._changed()

    def clear(self) -> None:
        """Take all away."""
        for rule in self._all:
            rule.cancel()
        self._all.clear()
        self._changed()

    def replace(self, rules: Sequence[Rule]) -> None:
        """Have these and no others."""
        self.clear()
        for rule in rules:
            self.add(rule)

    def cannot_apply(self) -> list[str]:
        """Return in words on how many connections, open or past, no rule can work, and why."""
        return [
            f"{count} connection{'s' if count != 1 else ''} so far can't be followed: {_HINTS.get(why, why)}"
            for why, count in sorted(self._proxy.opaque.items())
            if _HINTS.get(why, why)
        ]

    def _changed(self) -> None:
        self.matcher = Matcher(self._all)

    def _expire(self, rule: Rule) -> None:
        rule.cancel()
        if rule.ttl is not None:
            rule.expiry = self._proxy.loop.call_later(rule.ttl, self.remove, rule.name)
