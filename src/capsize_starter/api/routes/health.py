"""Health, metrics, and what the problem types mean."""

from fastapi import APIRouter
from starlette.responses import Response

from capsize_starter.api import health, metrics
from capsize_starter.api.answers import Documented, answer, documented
from capsize_starter.api.exposition import exposition
from capsize_starter.api.problems import Kind, Problem
from capsize_starter.api.services import ServicesDep

router = APIRouter(tags=["health"])

NO_STORE = {"Cache-Control": "no-store"}


def _documented(schema: str) -> Documented:
    return documented(200, "All is well", schema) | documented(503, "Something is missing; says what", schema)


def _by_status(body: health.Health | health.Detailed) -> Response:
    good = body.status == "ok"
    return answer(body, 200 if good else 503, NO_STORE if good else NO_STORE | {"Retry-After": "1"})


@router.get("/health", responses=_documented("Health"))
async def get_health(services: ServicesDep) -> Response:
    """Whether the service works: 200, or 503 while the database can't be reached."""
    return _by_status(await health.ping(services))


@router.get("/health/live", responses=documented(200, "The process answers", "Health"))
async def live() -> Response:
    """Whether the process answers at all; the database plays no part."""
    return answer(health.OK, headers=NO_STORE)


@router.get("/health/ready", responses=_documented("Health"))
async def ready(services: ServicesDep) -> Response:
    """Whether requests can be served: the database answers and is migrated."""
    return _by_status(await health.readiness(services))


@router.get("/health/detailed", responses=_documented("Detailed"))
async def detailed(services: ServicesDep) -> Response:
    """Database latency, pool, queue depth, workers and circuits as they are now."""
    return _by_status(await health.detailed(services))


@router.get("/metrics", responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}})
async def get_metrics(services: ServicesDep) -> Response:
    """The process's own counts, and the queue's while the database can be asked."""
    return Response(await exposition(services), media_type=metrics.CONTENT_TYPE, headers=NO_STORE)


@router.get("/problems/{slug}", include_in_schema=False)
async def problem_type(slug: str) -> Response:
    """What a problem's `type` points to."""
    for kind in Kind:
        if kind.slug == slug:
            return answer({"type": kind.type, "title": kind.title, "status": kind.status})
    raise Problem(Kind.NOT_FOUND)
