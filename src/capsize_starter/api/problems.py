"""Every error the API can answer with, as RFC 9457 problem details, in one table.

Code anywhere in the API raises `Problem` with a member of `Kind`; exceptions of the layers below
are mapped in `errors.py`. Nothing else in the package writes an error answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
"""What a 503 tells clients: the outages meant here are over in seconds."""


class Kind(Enum):
    """One row per error: the end of its type URI, its status, its title."""

    MALFORMED = ("malformed-request", 400, "The request could not be read")
    BAD_CURSOR = ("bad-cursor", 400, "The page cursor is not valid")
    UNAUTHENTICATED = ("unauthenticated", 401, "A valid bearer token is required")
    BAD_CREDENTIALS = ("bad-credentials", 401, "Email or password is wrong")
    BAD_REFRESH_TOKEN = ("bad-refresh-token", 401, "The refresh token is not valid")
    NOT_FOUND = ("not-found", 404, "There is nothing here")
    TASK_NOT_FOUND = ("task-not-found", 404, "There is no such task")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "The method is not allowed here")
    EMAIL_TAKEN = ("email-taken", 409, "The email address is registered already")
    WRONG_STATE = ("wrong-state", 409, "The task is not in a state that allows this")
    SLOW_BODY = ("slow-body", 408, "The request body did not arrive in time")
    TOO_LARGE = ("too-large", 413, "The request body is too large")
    INVALID = ("invalid", 422, "The request is not valid")
    INVALID_PAYLOAD = ("invalid-payload", 422, "The payload does not fit the task type")
    KEY_REUSED = ("idempotency-key-reused", 422, "The idempotency key was used for another request")
    TOO_MANY_ATTEMPTS = ("too-many-attempts", 429, "Too many failed logins; wait before the next")
    INTERNAL = ("internal", 500, "Something went wrong here")
    DATABASE_AWAY = ("database-away", 503, "The database can't be reached at the moment")
    OVERLOADED = ("overloaded", 503, "Too much is going on at the moment")
    NOT_READY = ("not-ready", 503, "The service is not ready")

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title

    @property
    def type(self) -> str:
        """The problem's type as a relative URI; stable, for clients to compare."""
        return f"/problems/{self.slug}"


class Problem(Exception):
    """An error answer; `detail` is for people, `extra` holds further members for programs."""

    def __init__(
        self,
        kind: Kind,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


def problem_response(problem: Problem) -> Response:
    """The HTTP answer of a problem, with the headers that its status demands."""
    kind = problem.kind
    body: dict[str, Any] = {"type": kind.type, "title": kind.title, "status": kind.status}
    if problem.detail:
        body["detail"] = problem.detail
    body.update(problem.extra)
    headers = _standing_headers(kind) | problem.headers
    return Response(json.dumps(body), kind.status, headers, MEDIA_TYPE)


def unlisted_response(status: int, detail: str | None, headers: Mapping[str, str]) -> Response:
    """An HTTP error of the framework that has no row of its own, in the same form."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status}
    if detail and detail != title:
        body["detail"] = detail
    return Response(json.dumps(body), status, dict(headers), MEDIA_TYPE)


def _standing_headers(kind: Kind) -> dict[str, str]:
    if kind is Kind.UNAUTHENTICATED:
        return {"WWW-Authenticate": 'Bearer realm="capsize-starter", error="invalid_token"'}
    if kind.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="capsize-starter"'}
    if kind.status == 503:
        return {"Retry-After": str(RETRY_AFTER_S)}
    return {}
