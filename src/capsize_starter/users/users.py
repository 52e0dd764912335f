"""Who may speak for whom: registration, login, sessions.

The login limit lives in PostgreSQL and not in memory. A limit that every restart resets, or that grows with
each API process, is none; and a login needs the database anyway and costs one hash of tens of milliseconds,
beside which one more statement is nothing. Its weakness is that of every limit per account: who knows an
address can lock its owner out for a window.
"""

import asyncio
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from capsize_starter.db import Database, load_queries
from capsize_starter.log import EventLog
from capsize_starter.users.errors import (
    BadCredentials,
    BadRefreshToken,
    EmailTaken,
    TooManyAttempts,
    Unauthenticated,
)
from capsize_starter.users.passwords import Passwords
from capsize_starter.users.settings import UserSettings
from capsize_starter.users.tokens import Identity, TokenCache, new_token, token_hash

SQL = load_queries(Path(__file__).with_name("users.sql"))

log = EventLog("starter.users")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as the API gives it out."""

    id: UUID
    email: str
    name: str
    created_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a login or a refresh hands out. `token` holds until `expires_at`."""

    token: str
    refresh_token: str
    expires_at: datetime
    user: User


@dataclass(frozen=True)
class _Tokens:
    access: str
    refresh: str

    @classmethod
    def new(cls) -> "_Tokens":
        return cls(new_token(), new_token())


class Users:
    """Operations on users and sessions. Every method may raise `db.Unavailable`."""

    def __init__(self, database: Database, settings: UserSettings) -> None:
        self._db = database
        self._settings = settings
        self._cache = TokenCache(settings.token_cache_s)
        self._passwords = Passwords(
            time_cost=settings.argon2_time_cost,
            memory_kib=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            threads=settings.argon2_threads,
            queue=settings.argon2_queue,
        )
        self._token_ttl = timedelta(seconds=settings.token_ttl_s)
        self._refresh_ttl = timedelta(seconds=settings.refresh_ttl_s)
        self._window = timedelta(seconds=settings.login_window_s)
        self._chores: set[asyncio.Task[None]] = set()

    async def register(self, email: str, password: str, name: str = "") -> User:
        """Make a user.

        Raises:
            EmailTaken, HasherBusy.
        """
        encoded = await self._passwords.hash(password)
        row = await self._db.fetchrow(SQL.register, uuid4(), email.lower(), name, encoded)
        if row is None:
            raise EmailTaken
        return User(**row)

    async def login(self, email: str, password: str, address: str) -> Session:
        """Check a password and begin a session. An unknown user takes as long as a wrong password.

        Raises:
            BadCredentials, TooManyAttempts, HasherBusy.
        """
        keys = f"account:{email.lower()}", f"address:{address}"
        row = await self._db.fetchrow(SQL.begin_login, *keys, self._window, email.lower())
        assert row is not None  # noqa: S101 - both counts are inserted by the statement itself
        self._hold_limit(row)
        if not await self._passwords.verify(row["password_hash"], password):
            raise BadCredentials
        user = User(id=row["id"], email=row["email"], name=row["name"], created_at=row["created_at"])
        session = await self._open_session(user, keys)
        if self._passwords.needs_rehash(row["password_hash"]):
            self._start_chore(self._rehash(user.id, row["password_hash"], password))
        return session

    async def refresh(self, refresh_token: str) -> Session:
        """Trade a refresh token for two new tokens.

        A token that comes a second time was stolen, or its thief came first: the session ends for both. A
        client whose answer was lost must therefore log in again; that is the price of noticing.

        Raises:
            BadRefreshToken.
        """
        tokens = _Tokens.new()
        spent = token_hash(refresh_token)
        row = await self._db.fetchrow(
            SQL.refresh, spent, token_hash(tokens.access), token_hash(tokens.refresh),
            self._token_ttl, self._refresh_ttl,
        )  # fmt: skip
        if row is None:
            await self._end_if_reused(spent)
            raise BadRefreshToken
        user = User(id=row["id"], email=row["email"], name=row["name"], created_at=row["created_at"])
        return _session(tokens, row["token_expires_at"], user)

    async def identify(self, token: str) -> Identity:
        """Whose an access token is.

        Raises:
            Unauthenticated.
        """
        key = token_hash(token)
        known = self._cache.get(key)
        if known is not None:
            return known
        generation = self._cache.generation
        row = await self._db.fetchrow(SQL.identity, key)
        if row is None:
            raise Unauthenticated
        identity = Identity(row["user_id"], row["session_id"], row["expires_at"])
        self._cache.put(key, identity, generation)
        return identity

    async def user(self, user_id: UUID) -> User:
        """The user behind an identity.

        Raises:
            Unauthenticated: the user is gone.
        """
        row = await self._db.fetchrow(SQL.user, user_id)
        if row is None:
            raise Unauthenticated
        return User(**row)

    async def logout(self, identity: Identity) -> None:
        """End the session that a token belongs to, with all its tokens."""
        try:
            await self._db.execute(SQL.revoke, identity.session_id)
        finally:
            # Also when the answer got lost: a look at the database then tells what holds.
            self._cache.forget(identity.session_id)

    def close(self) -> None:
        """Drop what still runs beside the requests."""
        for chore in self._chores:
            chore.cancel()
        self._passwords.close()

    def _hold_limit(self, row: Any) -> None:
        settings = self._settings
        if row["account_failures"] > settings.login_account_max:
            raise TooManyAttempts(row["account_left_s"])
        if row["address_failures"] > settings.login_address_max:
            raise TooManyAttempts(row["address_left_s"])

    async def _open_session(self, user: User, keys: tuple[str, str]) -> Session:
        tokens = _Tokens.new()
        async with self._db.transaction() as connection:
            await connection.execute(SQL.prune_sessions, user.id)
            expires_at = await connection.fetchval(
                SQL.open_session, uuid4(), user.id, token_hash(tokens.access), token_hash(tokens.refresh),
                self._token_ttl, self._refresh_ttl,
            )  # fmt: skip
            await connection.execute(SQL.forgive, *keys)
            await connection.execute(SQL.prune_attempts)
        return _session(tokens, expires_at, user)

    async def _end_if_reused(self, spent: bytes) -> None:
        row = await self._db.fetchrow(SQL.revoke_reused, spent)
        if row is not None:
            self._cache.forget(row["id"])
            log.warning("session.refresh_reused", session=row["id"], user=row["user_id"])

    async def _rehash(self, user_id: UUID, old: str, password: str) -> None:
        try:
            encoded = await self._passwords.hash(password)
            await self._db.execute(SQL.set_password_hash, user_id, encoded, old)
        except Exception as error:  # the next login tries again
            log.info("password.rehash_failed", user=user_id, error=repr(error))

    def _start_chore(self, work: Any) -> None:
        # With a context of its own: the request's time for the database is not the chore's.
        chore = asyncio.get_running_loop().create_task(work, context=Context())
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)


def _session(tokens: _Tokens, expires_at: datetime, user: User) -> Session:
    return Session(token=tokens.access, refresh_token=tokens.refresh, expires_at=expires_at, user=user)
