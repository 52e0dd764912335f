"""Writes a mail into an outbox folder, as one file that a mail server could pick up."""

import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Any

import msgspec

from capsize_starter.handlers.base import Context, FieldError, Handler
from capsize_starter.handlers.files import replace_file

Line = Annotated[str, msgspec.Meta(max_length=998)]
Address = Annotated[str, msgspec.Meta(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]


class Email(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: Address
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=998)]
    body: Annotated[str, msgspec.Meta(max_length=1_000_000)] = ""
    values: dict[str, str | int | float] = {}
    """Put into the body where it says {name}."""


def check(payload: Email) -> list[FieldError]:
    errors = (
        [FieldError("subject", "must be one line")]
        if "\n" in payload.subject or "\r" in payload.subject
        else []
    )
    return errors


def render(payload: Email, task_id: str) -> bytes:
    """The mail as it goes over the wire. Placeholders without a value stay as they are."""
    body = payload.body
    for name, value in payload.values.items():
        body = body.replace("{" + name + "}", str(value))
    message = EmailMessage(policy=SMTP)
    message["To"] = payload.to
    message["From"] = "starter@localhost"
    message["Subject"] = payload.subject
    message["Message-ID"] = f"<{task_id}@capsize-starter>"
    message.set_content(body)
    return message.as_bytes()


async def run(payload: Email, context: Context) -> dict[str, Any]:
    data = await asyncio.to_thread(render, payload, str(context.task_id))
    # Named after the task: a second run replaces the same mail and does not send another.
    path = Path(context.files_root) / "outbox" / f"{context.task_id}.eml"
    context.check()
    await asyncio.to_thread(replace_file, path, data)
    return {"to": payload.to, "bytes": len(data), "file": f"outbox/{path.name}"}


HANDLER = Handler("email", "Renders a mail and puts it into the outbox.", Email, run, check)
