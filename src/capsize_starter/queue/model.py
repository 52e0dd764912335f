"""The queue's data, as the API gives it out."""

import os
import time
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

Status = Literal["pending", "running", "completed", "failed", "cancelled"]


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be put into the queue. `payload` is anything JSON can hold; `run_at` must carry a time zone."""

    type: str
    payload: Any = msgspec.field(default_factory=dict)
    priority: int = 0
    """-32768 to 32767; higher goes first."""
    run_at: datetime | None = None
    """Not before this moment; None means at once."""
    max_attempts: int = 3


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it stands; exactly the fields of the service contract."""

    id: UUID
    type: str
    status: Status
    payload: Any
    result: Any
    error: str | None
    priority: int
    attempts: int
    losses: int
    max_attempts: int
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None


class Enqueued(msgspec.Struct, frozen=True):
    """A submitted task; `replayed` when the idempotency key had created it before."""

    task: Task
    replayed: bool


class Page(msgspec.Struct, frozen=True):
    """A page of tasks, newest first; `next_cursor` is None on the last page."""

    items: list[Task]
    next_cursor: str | None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All tasks counted in one snapshot; `created` on its own account. `dead_letter` equals `failed`."""

    created: int
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    dead_letter: int


class TypeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one type by status."""

    type: str
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit of one type as it stands now. `failures` are those in a row."""

    type: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    opened_at: datetime | None
    open_until: datetime | None


def new_id() -> UUID:
    """A UUID of version 7: the milliseconds since 1970 and 74 random bits, so that ids sort by creation."""
    millis = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | (noise & 0xFFFF_FFFF_FFFF_FFFF_FFFF)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
