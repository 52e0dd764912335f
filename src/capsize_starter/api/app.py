"""Puts the application together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import BaseRoute

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
        title="capsize-starter",
        version="0.1.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    # The routes themselves and not `include_router`, which wraps each router in a matcher of its own: slower, and
    # the methods of a path can't be told for a 405.
    app.router.routes.extend(_routes())
    errors.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    limits = services.settings
    app.add_middleware(BodyLimit, limit=limits.body_max, timeout_s=limits.body_timeout_s)
    app.add_middleware(Measured, metrics=services.metrics, database_s=limits.database_s)
    return app


def _routes() -> list[BaseRoute]:
    """All routes, searched from the first to the last: the busiest in front, those with parameters behind."""
    found = [route for module in (tasks, dead_letters, health, auth) for route in module.router.routes]
    return sorted(found, key=lambda route: "{" in getattr(route, "path", ""))
