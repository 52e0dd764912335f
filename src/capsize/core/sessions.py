"""Sessions of capsize's own on the database, and the ability to open them."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, runtime_checkable

from capsize.core.errors import InjectionError


class Refused(InjectionError):
    """The database refused a connection or a statement; ``sqlstate`` says why, as in ``53300``."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class Session(Protocol):
    """One session: what is done in it stays (a lock, a taken slot) until it is ended, or its owner dies."""

    @property
    def pid(self) -> int:
        """Return the number of its process on the server."""
        ...

    async def run(self, sql: str, *args: object, limit_s: float = 5.0) -> list[dict[str, Any]]:
        """Run one statement and return its rows. Raises Refused, and InjectionError when it takes too long."""
        ...

    def start(self, sql: str) -> asyncio.Future[None]:
        """Send one statement and return at once; the future is done when it is over, with what it raised."""
        ...


@runtime_checkable
class Connectable(Protocol):
    """Can open sessions on the database, beside the service and through no proxy."""

    async def connect(self, label: str, *, as_service: bool = False) -> Session:
        """Open one more session under a label, as the superuser or as the user that the service has.

        It stays open until :meth:`disconnect`; the server frees what it holds when this process dies, and
        ends it after an hour in any case. Raises Refused, and InjectionError when nobody answers.
        """
        ...

    async def disconnect(self, label: str) -> None:
        """End all sessions under a label, also those of a process that has died, and return when they are gone.

        No session under it is fine, and so is a server that is down: it took them with it. Raises HealError.
        """
        ...
