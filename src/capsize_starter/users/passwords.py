"""Passwords as argon2id hashes, computed off the event loop.

One hash costs tens of milliseconds and tens of megabytes on purpose. The hasher therefore owns a
small pool of threads (argon2 releases the GIL) and a bounded queue before it: a flood of logins is
refused with `HasherBusy` instead of piling up memory or starving every other request.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from capsize_starter.users.errors import HasherBusy

_Result = TypeVar("_Result")

DIGEST_BYTES = 32
SALT_BYTES = 16


class Passwords:
    """Hashes and checks passwords with one set of argon2id parameters.

    `memory_kib` is the memory of one hash in KiB; `threads` is how many hashes run at once, and
    `queue` how many more may wait. The library's recommended parameters (RFC 9106, low memory) are
    3, 65536, 4.
    """

    def __init__(
        self,
        *,
        time_cost: int = 3,
        memory_kib: int = 65536,
        parallelism: int = 4,
        threads: int = 2,
        queue: int = 64,
    ) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost,
            memory_cost=memory_kib,
            parallelism=parallelism,
            hash_len=DIGEST_BYTES,
            salt_len=SALT_BYTES,
        )
        self._decoy = _decoy(time_cost, memory_kib, parallelism)
        self._limit = threads + queue
        self._inflight = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """The encoded hash of a password, with its own salt."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether the password fits; `None` (no such user) takes as long as a wrong password."""
        return await self._run(lambda: self._verify(encoded, password))

    def needs_rehash(self, encoded: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def close(self) -> None:
        """Let running hashes end and take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(encoded or self._decoy, password) and encoded is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        if self._inflight >= self._limit:
            raise HasherBusy
        future = self._pool.submit(work)
        # Counted until the thread is done, not until the caller stops waiting: a client that
        # hangs up must not make room for another hash while its own is still running.
        self._inflight += 1
        loop = asyncio.get_running_loop()
        # Before the result is handed over, so that whoever has it finds the place free.
        future.add_done_callback(lambda _: _call_soon(loop, self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._inflight -= 1


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)


def _decoy(time_cost: int, memory_kib: int, parallelism: int) -> str:
    """A well-formed hash that nothing fits: checking against it does the full work.

    Made from random bytes, so it costs no hash of its own when the process starts.
    """
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (SALT_BYTES, DIGEST_BYTES)
    )
    parameters = f"m={memory_kib},t={time_cost},p={parallelism}"
    return f"$argon2id$v=19${parameters}${salt}${digest}"
