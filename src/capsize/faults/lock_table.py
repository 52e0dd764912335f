"""A lock on a table that nobody gives back, as a migration or a forgotten session holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from capsize.core.platform import Queryable
from capsize.core.sessions import Connectable
from capsize.faults.database import tables, until_held

Mode = Literal[
    "access share",
    "row share",
    "row exclusive",
    "share update exclusive",
    "share",
    "share row exclusive",
    "exclusive",
    "access exclusive",
]


class LockTable(msgspec.Struct, frozen=True, kw_only=True):
    """Holds a lock on a table, in a session of capsize's own: whoever needs the table waits until it is healed.

    ``share`` lets reading through, ``access exclusive`` nothing. The lock is waited for like any other, up to
    ``wait_s``; those that come after it wait behind it meanwhile.
    """

    name: ClassVar[str] = "lock_table"
    requires: ClassVar[tuple[type, ...]] = (Connectable, Queryable)
    aim: ClassVar[Literal["database"]] = "database"

    table: str
    mode: Mode = "access exclusive"
    wait_s: Annotated[float, msgspec.Meta(gt=0, le=25)] = 10.0

    async def strike(self, platform: Any, victims: Sequence[str]) -> str:
        """Take the lock and return when the server says that it is held. Raises UsageError for no such table."""
        (table, *_) = await tables(platform, (self.table,))
        session = await platform.connect(self._label)
        await session.run("begin")
        await session.run(f"lock table {table.name} in {self.mode} mode", limit_s=self.wait_s)
        granted = f"{self.mode.title().replace(' ', '')}Lock"
        await until_held(platform, table, session.pid, granted, limit_s=1.0)
        return f"{table.name} in {self.mode} mode"

    async def heal(self, platform: Any, victims: Sequence[str]) -> None:
        """End the session, and with it the lock; so does the end of capsize, whatever it is."""
        await platform.disconnect(self._label)

    @property
    def _label(self) -> str:
        return f"{self.name} {self.table} {self.mode}"
