"""The task queue on PostgreSQL: what the API does with tasks (`Queue`) and what a worker does (`Claims`)."""

from capsize_starter.queue.batches import Batch, open_batch
from capsize_starter.queue.claims import Claimed, Claims, Head, Lost
from capsize_starter.queue.errors import (
    BadCursor,
    IdempotencyConflict,
    QueueError,
    TaskConflict,
    TaskNotFound,
)
from capsize_starter.queue.model import (
    BreakerView,
    Enqueued,
    NewTask,
    Page,
    Stats,
    Status,
    Task,
    TypeCounts,
)
from capsize_starter.queue.queue import Queue

__all__ = [
    "BadCursor",
    "Batch",
    "BreakerView",
    "Claimed",
    "Claims",
    "Enqueued",
    "Head",
    "IdempotencyConflict",
    "Lost",
    "NewTask",
    "Page",
    "Queue",
    "QueueError",
    "Stats",
    "Status",
    "Task",
    "TaskConflict",
    "TaskNotFound",
    "TypeCounts",
    "open_batch",
]
