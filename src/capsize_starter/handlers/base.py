"""What a handler is, what it is given, and how its payload is validated."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec


class LeaseLost(Exception):
    """The run is no longer ours: its lease is over, or it was cancelled. The effect must not happen."""


class PermanentError(Exception):
    """The task can never succeed; it goes to the dead-letter queue without another attempt."""


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a payload. `field` is "" when the payload as a whole is wrong."""

    field: str
    message: str


class PayloadError(Exception):
    """The payload does not fit its task type; `errors` has each field's fault."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{item.field or 'payload'}: {item.message}" for item in errors))
        self.errors = errors


class Http(Protocol):
    """The HTTP client that handlers are given."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout_s: float,
    ) -> "Response": ...


class Response(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler knows of its run.

    A handler calls `check()` directly before its effect: it raises `LeaseLost` when the lease is over by this
    process's own clock, so a worker that was frozen does not do work that another has taken over.
    """

    task_id: UUID
    attempt: int
    check: Callable[[], None]
    files_root: Path
    http: Http


@dataclass(frozen=True)
class Handler:
    """A task type: its name, what it does, the shape of its payload, and the coroutine that does it.

    `run(payload, context)` gets the payload as an instance of `payload` and returns the result, anything that
    JSON can hold. Any exception is a failed attempt; `PermanentError` is the last one.
    """

    name: str
    summary: str
    payload: type[msgspec.Struct]
    run: Callable[[Any, Context], Awaitable[Any]]
    check: Callable[[Any], list[FieldError]] = lambda _payload: []
    """What the types alone can't say about a payload."""

    def parse(self, payload: Any) -> Any:
        """Turn a decoded JSON value into this type's payload.

        Raises:
            PayloadError: with every field that is wrong.
        """
        if not isinstance(payload, dict):
            raise PayloadError([FieldError("", "must be an object")])
        try:
            parsed = msgspec.convert(payload, self.payload)
        except msgspec.ValidationError:
            raise PayloadError(_field_errors(payload, self.payload)) from None
        if errors := self.check(parsed):
            raise PayloadError(errors)
        return parsed


def _field_errors(payload: dict[str, Any], kind: type[msgspec.Struct]) -> list[FieldError]:
    """Check field by field, because msgspec stops at the first fault."""
    known = msgspec.structs.fields(kind)
    names = {item.encode_name for item in known}
    errors = [FieldError(name, "is not a known field") for name in payload if name not in names]
    for item in known:
        if item.encode_name not in payload:
            if item.required:
                errors.append(FieldError(item.encode_name, "is required"))
            continue
        try:
            msgspec.convert(payload[item.encode_name], item.type)
        except msgspec.ValidationError as error:
            errors.append(FieldError(item.encode_name, str(error)))
    return errors
