"""Session tokens: random for the client, hashed in the database, and a short-lived cache of both."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request speaks for, and until when its token holds."""

    user_id: UUID
    session_id: UUID
    expires_at: datetime


def new_token() -> str:
    """A fresh token with 256 bits of randomness, safe in a header."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is stored of a token.

    A plain SHA-256 is right here and would be wrong for a password: the token has 256 random bits,
    so there is nothing to guess, and the hash must be cheap because every request needs it.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class TokenCache:
    """Remembers for a few seconds whose a token is, so that most requests need no lookup.

    What is traded: a session ended by *another* API process stays usable here for up to `ttl_s`
    seconds. A logout in this process is immediate. Bad tokens are never remembered, so a token is
    good the moment it is issued. `ttl_s=0` turns the cache off.
    """

    def __init__(
        self,
        ttl_s: float,
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._clock = clock
        self._entries: dict[bytes, tuple[float, Identity]] = {}
        self.generation = 0
        """Counts the forgotten sessions; a lookup begun under an older one may be stale."""

    def get(self, key: bytes) -> Identity | None:
        """The identity behind a token hash, unless unknown, outdated or expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        fresh_until, identity = entry
        if self._clock() < fresh_until and identity.expires_at > datetime.now(UTC):
            return identity
        del self._entries[key]
        return None

    def put(self, key: bytes, identity: Identity, generation: int) -> None:
        """Remember a lookup that began when `generation` was current.

        A session that ended while the lookup was under way must not come back to life here.
        """
        if self._ttl_s <= 0 or generation != self.generation:
            return
        if len(self._entries) >= self._capacity:
            # The oldest entry goes; dicts keep the order of insertion.
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (self._clock() + self._ttl_s, identity)

    def forget(self, session_id: UUID) -> None:
        """Drop every token of a session at once."""
        self.generation += 1
        stale = [key for key, (_, who) in self._entries.items() if who.session_id == session_id]
        for key in stale:
            del self._entries[key]
