"""The task types: one file each, and this explicit table of them."""

from typing import Any

from capsize_starter.handlers import (
    data_processing,
    delay,
    email,
    file_cleanup,
    report_generation,
    webhook,
)
from capsize_starter.handlers.base import (
    Context,
    FieldError,
    Handler,
    LeaseLost,
    PayloadError,
    PermanentError,
)

HANDLERS: dict[str, Handler] = {
    module.HANDLER.name: module.HANDLER
    for module in (delay, webhook, email, data_processing, report_generation, file_cleanup)
}


def validate(type: str, payload: Any) -> None:
    """Check a task's payload at submission. A type that is not known is accepted: its worker will refuse it.

    Raises:
        PayloadError: with every field that is wrong.
    """
    handler = HANDLERS.get(type)
    if handler is not None:
        handler.parse(payload)


__all__ = [
    "HANDLERS",
    "Context",
    "FieldError",
    "Handler",
    "LeaseLost",
    "PayloadError",
    "PermanentError",
    "validate",
]
