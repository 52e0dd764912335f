"""What the routes work with, made once per application, and how a route asks for it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from capsize_starter.api.metrics import RequestMetrics
from capsize_starter.api.settings import ApiSettings
from capsize_starter.db import Database
from capsize_starter.queue import Queue
from capsize_starter.settings import DatabaseSettings, load
from capsize_starter.users import Identity, Unauthenticated, Users, UserSettings


@dataclass(frozen=True)
class Services:
    """The parts of one application."""

    database: Database
    queue: Queue
    users: Users
    metrics: RequestMetrics
    settings: ApiSettings

    @classmethod
    def from_environment(cls) -> "Services":
        """Everything by the settings of the environment; connects to nothing."""
        database = Database(load(DatabaseSettings), name="capsize-starter api")
        return cls(
            database=database,
            queue=Queue(database),
            users=Users(database, load(UserSettings)),
            metrics=RequestMetrics(),
            settings=load(ApiSettings),
        )

    async def close(self) -> None:
        """Let go of threads and connections."""
        self.users.close()
        await self.database.close()


# Async although they await nothing: FastAPI runs plain functions in a thread.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _queue(request: Request) -> Queue:
    queue: Queue = request.app.state.services.queue
    return queue


async def _users(request: Request) -> Users:
    users: Users = request.app.state.services.users
    return users


class _Bearer(HTTPBearer):
    """The security scheme of the OpenAPI document and the check itself: one dependency instead of two."""

    def __init__(self) -> None:
        super().__init__(auto_error=False, description="The token that `POST /auth/login` gave out.")

    async def __call__(self, request: Request) -> Identity:  # type: ignore[override]
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated
        users: Users = request.app.state.services.users
        return await users.identify(token.strip())


ServicesDep = Annotated[Services, Depends(_services)]
QueueDep = Annotated[Queue, Depends(_queue)]
UsersDep = Annotated[Users, Depends(_users)]
IdentityDep = Annotated[Identity, Depends(_Bearer())]
"""The caller; a route with this parameter answers 401 without a good token."""
