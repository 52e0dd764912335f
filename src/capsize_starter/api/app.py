"""Puts the application together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from capsize_starter.api import errors, openapi
from capsize_starter.api.middleware import BodyLimit, Measured
from capsize_starter.api.routes import auth, dead_letters, health, tasks
from capsize_starter.api.services import Services

DESCRIPTION = "Users, tasks and a queue on PostgreSQL. Errors are RFC 9457 problem details."


def build(services: Services | None = None) -> FastAPI:
    """The application. It connects to the database when the first request needs it, so it starts without one."""
    services = services or Services.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await services.close()

    app = FastAPI(
        title="capsize-starter", version="0.1.0", description=DESCRIPTION, lifespan=lifespan, redoc_url=None
    )
    app.state.services = services
    for module in (health, auth, dead_letters, tasks):  # /tasks/dead-letter before /tasks/{task_id}
        # The routes themselves and not `include_router`, which wraps each router in a matcher of its own: slower,
        # and the methods of a path can't be told for a 405.
        app.router.routes.extend(module.router.routes)
    errors.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    limits = services.settings
    app.add_middleware(BodyLimit, limit=limits.body_max, timeout_s=limits.body_timeout_s)
    app.add_middleware(Measured, metrics=services.metrics)
    return app
