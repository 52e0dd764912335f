"""Calls a URL; an answer outside 200-299 is a failed attempt."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from capsize_starter.handlers.base import Context, FieldError, Handler

BODY_KEPT = 2048


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    body: Any = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0.0, le=60.0)] = 10.0


class WebhookError(Exception):
    """The other side answered with a status outside 200-299."""


def check(payload: Webhook) -> list[FieldError]:
    try:
        parts = urlsplit(payload.url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if fits and payload.url.isascii() and payload.url.isprintable() and " " not in payload.url:
        return []
    return [FieldError("url", "must be an http or https URL")]


async def run(payload: Webhook, context: Context) -> dict[str, Any]:
    body = b"" if payload.body is None else msgspec.json.encode(payload.body)
    headers = {"content-type": "application/json"} if body else {}
    # The other side can use these to drop a repeated call.
    headers["idempotency-key"] = str(context.task_id)
    context.check()
    response = await context.http.request(
        payload.method, payload.url, body=body, headers=headers, timeout_s=payload.timeout_s
    )
    if not 200 <= response.status < 300:
        raise WebhookError(f"{payload.method} {payload.url} answered {response.status}")
    return {
        "status": response.status,
        "body": response.body[:BODY_KEPT].decode("utf-8", "replace"),
    }


HANDLER = Handler("webhook", "Calls a URL; a non-2xx answer is a failed attempt.", Webhook, run, check)
