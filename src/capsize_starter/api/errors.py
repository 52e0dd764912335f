"""Which exception becomes which problem."""

import math
from collections.abc import Callable
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from capsize_starter import db, handlers, queue, users
from capsize_starter.api.problems import Kind, Problem, problem_response, unlisted_response

MAPPED: dict[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda problem: problem,
    # The text of an outage names hosts and settings: it is for the log, not for the client.
    db.Unavailable: lambda _: Problem(Kind.DATABASE_AWAY, "Try again in a moment."),
    asyncpg.UndefinedTableError: lambda _: Problem(Kind.NOT_READY, "The database has not been migrated."),
    queue.TaskNotFound: lambda error: Problem(Kind.TASK_NOT_FOUND, str(error)),
    queue.TaskConflict: lambda error: Problem(Kind.WRONG_STATE, str(error), task_status=error.status),
    queue.IdempotencyConflict: lambda error: Problem(Kind.KEY_REUSED, str(error)),
    queue.BadCursor: lambda error: Problem(Kind.BAD_CURSOR, str(error)),
    handlers.PayloadError: lambda error: Problem(
        Kind.INVALID_PAYLOAD,
        str(error),
        errors=[{"field": _payload_field(item.field), "message": item.message} for item in error.errors],
    ),
    users.EmailTaken: lambda _: Problem(Kind.EMAIL_TAKEN),
    users.BadCredentials: lambda _: Problem(Kind.BAD_CREDENTIALS),
    users.BadRefreshToken: lambda _: Problem(Kind.BAD_REFRESH_TOKEN, "Log in again."),
    users.Unauthenticated: lambda _: Problem(Kind.UNAUTHENTICATED),
    users.HasherBusy: lambda _: Problem(Kind.OVERLOADED, "Too many logins at once."),
    users.TooManyAttempts: lambda error: Problem(
        Kind.TOO_MANY_ATTEMPTS,
        str(error),
        headers={"Retry-After": str(max(1, math.ceil(error.retry_after_s)))},
    ),
}
"""The one table from the exceptions of the layers below to answers."""

UNLISTED: dict[int, Kind] = {
    400: Kind.MALFORMED,
    404: Kind.NOT_FOUND,
    405: Kind.METHOD_NOT_ALLOWED,
    413: Kind.TOO_LARGE,
}
"""Errors that the framework itself raises."""


def install(app: FastAPI) -> None:
    """Make the application answer every error as problem+json."""
    for kind, to_problem in MAPPED.items():
        app.add_exception_handler(kind, _answer_with(to_problem))
    app.add_exception_handler(RequestValidationError, _answer_with(_validation))
    app.add_exception_handler(HTTPException, _http_exception)


def _answer_with(to_problem: Callable[[Any], Problem]) -> Callable[[Request, Exception], Any]:
    async def handle(request: Request, error: Exception) -> Response:
        return problem_response(to_problem(error))

    return handle


def _validation(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["loc"][:1] == ("path",) for fault in faults):
        # The only path parameters are ids; one that is malformed is an id of nothing.
        return Problem(Kind.TASK_NOT_FOUND)
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem(Kind.MALFORMED, "The body is not valid JSON.")
    found = [
        {"field": ".".join(str(part) for part in fault["loc"]), "message": str(fault["msg"])}
        for fault in faults
    ]
    return Problem(
        Kind.INVALID, "; ".join(f"{one['field']}: {one['message']}" for one in found), errors=found
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    kind = UNLISTED.get(error.status_code)
    if kind is None:
        return unlisted_response(error.status_code, str(error.detail or ""), headers)
    detail = None if kind is Kind.NOT_FOUND else str(error.detail or "")
    if detail in (kind.title, "Method Not Allowed"):
        detail = None
    return problem_response(Problem(kind, detail, headers=headers))


def _allowed(request: Request) -> set[str]:
    """The methods of all routes with this path; the framework names those of the first alone."""
    return {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }


def _payload_field(name: str) -> str:
    return f"body.payload.{name}" if name else "body.payload"
