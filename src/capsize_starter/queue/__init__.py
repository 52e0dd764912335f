"""The task queue on PostgreSQL: what the API does with tasks (`Queue`) and what a worker does (`Claims`)."""

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
    "BreakerView",
    "Enqueued",
    "IdempotencyConflict",
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
]
