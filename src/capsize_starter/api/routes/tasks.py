"""Tasks of the caller, and what everybody may know about the queue."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from capsize_starter.api.answers import answer, documented
from capsize_starter.api.models import TaskIn, TaskQuery
from capsize_starter.api.problems import Kind, Problem
from capsize_starter.api.services import IdentityDep, QueueDep
from capsize_starter.api.strict import StrictRoute
from capsize_starter.handlers import HANDLERS, validate
from capsize_starter.queue import BreakerView, Queue

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=StrictRoute)

KEY = r"^[\x21-\x7e]{1,255}$"
AUTH = (Kind.UNAUTHENTICATED, Kind.DATABASE_AWAY)


class TypeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A task type: what it does, the schema of its payload (null for a type that no handler knows), and the
    caller's tasks of it by status."""

    type: str
    summary: str | None
    payload_schema: dict[str, Any] | None
    tasks: dict[str, int]


class TaskTypeList(msgspec.Struct, frozen=True):
    """All task types that there are handlers for, and those that the caller has tasks of."""

    items: list[TypeInfo]


class BreakerList(msgspec.Struct, frozen=True):
    """The circuits of all types that ever failed; a type that is not listed is closed."""

    items: list[BreakerView]


class Purged(msgspec.Struct, frozen=True):
    """How many tasks were deleted."""

    deleted: int


@router.post(
    "",
    status_code=201,
    responses=documented(
        201, "The new task; 200 with `Idempotent-Replayed: true` when the key had made it before", "Task",
        Kind.MALFORMED, Kind.TOO_LARGE, Kind.INVALID, Kind.INVALID_PAYLOAD, Kind.KEY_REUSED, *AUTH,
    ),
)  # fmt: skip
async def create(
    identity: IdentityDep,
    body: TaskIn,
    request: Request,
    idempotency_key: Annotated[str | None, Header(pattern=KEY)] = None,
) -> Response:
    """Put a task into the queue. With an `Idempotency-Key` the request may safely be repeated."""
    validate(body.type, body.payload)
    # Not by a dependency: this is the route that load falls on, and each costs a tenth of it.
    queue: Queue = request.app.state.services.queue
    try:
        done = await queue.enqueue(body.as_new(), user_id=identity.user_id, idempotency_key=idempotency_key)
    except (OverflowError, UnicodeError, RecursionError) as error:
        # Python reads numbers, text and nesting that JSON as others know it can't carry.
        raise Problem(Kind.INVALID_PAYLOAD, f"The payload can't be stored: {error}.") from error
    if done.replayed:
        return answer(done.task, 200, {"Idempotent-Replayed": "true"})
    return answer(done.task, 201, {"Location": f"/tasks/{done.task.id}"})


@router.get("", responses=documented(200, "A page", "Page", Kind.BAD_CURSOR, Kind.INVALID, *AUTH))
async def page(identity: IdentityDep, query: Annotated[TaskQuery, Query()], queue: QueueDep) -> Response:
    """The caller's tasks, newest first. Follow `next_cursor` until it is null."""
    found = await queue.page(
        user_id=identity.user_id,
        status=query.status,
        type=query.type,
        created_after=query.created_after,
        created_before=query.created_before,
        limit=query.limit,
        cursor=query.cursor,
    )
    return answer(found)


@router.get("/stats", responses=documented(200, "The counts", "Stats", Kind.DATABASE_AWAY))
async def stats(queue: QueueDep) -> Response:
    """All tasks of all users by status, counted in one snapshot. Needs no token and shows counts only."""
    return answer(await queue.stats())


@router.get("/types", responses=documented(200, "The task types", "TaskTypeList", *AUTH))
async def types(identity: IdentityDep, queue: QueueDep) -> Response:
    """The task types, the schemas of their payloads, and the caller's tasks of each by status."""
    counts = {found.type: found for found in await queue.type_counts(user_id=identity.user_id)}
    names = [*HANDLERS, *(name for name in counts if name not in HANDLERS)]
    return answer(TaskTypeList([_type_info(name, counts.get(name)) for name in names]))


@router.get("/circuit-breakers", responses=documented(200, "The circuits", "BreakerList", *AUTH))
async def circuit_breakers(identity: IdentityDep, queue: QueueDep) -> Response:
    """The circuit of each task type that ever failed."""
    return answer(BreakerList(await queue.breakers()))


@router.get("/{task_id}", responses=documented(200, "The task", "Task", Kind.TASK_NOT_FOUND, *AUTH))
async def get(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """One task of the caller's."""
    return answer(await queue.get(task_id, user_id=identity.user_id))


@router.post(
    "/{task_id}/cancel",
    responses=documented(200, "The task", "Task", Kind.TASK_NOT_FOUND, Kind.WRONG_STATE, *AUTH),
)
async def cancel(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """Cancel a task that is not over; a running one is abandoned by its worker."""
    return answer(await queue.cancel(task_id, user_id=identity.user_id))


@router.post(
    "/{task_id}/retry",
    responses=documented(200, "The task", "Task", Kind.TASK_NOT_FOUND, Kind.WRONG_STATE, *AUTH),
)
async def retry(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """Make a failed or cancelled task pending again, with all its attempts."""
    return answer(await queue.retry(task_id, user_id=identity.user_id))


@router.delete(
    "/{task_id}",
    status_code=204,
    responses=documented(204, "Deleted", None, Kind.TASK_NOT_FOUND, Kind.WRONG_STATE, *AUTH),
)
async def delete(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """Delete a task that is over."""
    await queue.delete(task_id, user_id=identity.user_id)
    return Response(status_code=204)


def _type_info(name: str, counts: Any) -> TypeInfo:
    handler = HANDLERS.get(name)
    tasks = msgspec.structs.asdict(counts) if counts is not None else {}
    tasks.pop("type", None)
    return TypeInfo(
        type=name,
        summary=handler.summary if handler else None,
        payload_schema=msgspec.json.schema(handler.payload) if handler else None,
        tasks=tasks,
    )
