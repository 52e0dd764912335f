"""What the queue refuses; each exception's docstring says what it means."""

from uuid import UUID


class QueueError(Exception):
    """The base of the queue's own errors."""


class TaskNotFound(QueueError):
    """There is no such task, or it belongs to another user."""

    def __init__(self, task_id: UUID) -> None:
        super().__init__(f"There is no task {task_id}.")
        self.task_id = task_id


class TaskConflict(QueueError):
    """The task's status does not allow the change."""

    def __init__(self, task_id: UUID, status: str, wanted: str) -> None:
        super().__init__(f"Task {task_id} is {status}; it can't be {wanted}.")
        self.task_id = task_id
        self.status = status


class IdempotencyConflict(QueueError):
    """The idempotency key was used before by this user for another request."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The idempotency key {key!r} was used before with another request.")
        self.key = key


class BadCursor(QueueError):
    """The cursor was not made by this service."""

    def __init__(self) -> None:
        super().__init__("The cursor is malformed. Use the next_cursor of the page before, unchanged.")
