"""The caller's dead-letter queue: the tasks that failed for good."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from capsize_starter.api.answers import answer, documented
from capsize_starter.api.models import PageQuery
from capsize_starter.api.problems import Kind
from capsize_starter.api.routes.tasks import AUTH, Purged
from capsize_starter.api.services import IdentityDep, QueueDep
from capsize_starter.api.strict import StrictRoute
from capsize_starter.queue import TaskConflict

router = APIRouter(prefix="/tasks/dead-letter", tags=["dead letters"], route_class=StrictRoute)


@router.get("", responses=documented(200, "A page", "Page", Kind.BAD_CURSOR, Kind.INVALID, *AUTH))
async def page(identity: IdentityDep, query: Annotated[PageQuery, Query()], queue: QueueDep) -> Response:
    """The tasks that failed for good, newest first."""
    found = await queue.dead_letters(user_id=identity.user_id, limit=query.limit, cursor=query.cursor)
    return answer(found)


@router.delete("", responses=documented(200, "How many were deleted", "Purged", *AUTH))
async def purge(identity: IdentityDep, queue: QueueDep) -> Response:
    """Delete all of the caller's dead letters."""
    return answer(Purged(await queue.purge_dead_letters(user_id=identity.user_id)))


@router.post(
    "/{task_id}/requeue",
    responses=documented(200, "The task", "Task", Kind.TASK_NOT_FOUND, Kind.WRONG_STATE, *AUTH),
)
async def requeue(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """Make a dead letter pending again, with all its attempts."""
    return answer(await queue.requeue(task_id, user_id=identity.user_id))


@router.delete(
    "/{task_id}",
    status_code=204,
    responses=documented(204, "Deleted", None, Kind.TASK_NOT_FOUND, Kind.WRONG_STATE, *AUTH),
)
async def delete(identity: IdentityDep, task_id: UUID, queue: QueueDep) -> Response:
    """Delete one dead letter."""
    task = await queue.get(task_id, user_id=identity.user_id)
    if task.status != "failed":
        raise TaskConflict(task_id, task.status, "deleted from the dead-letter queue")
    await queue.delete(task_id, user_id=identity.user_id)
    return Response(status_code=204)
