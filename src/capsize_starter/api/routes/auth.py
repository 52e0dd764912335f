"""Registration, login, refresh, logout."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from capsize_starter.api.answers import answer, documented
from capsize_starter.api.models import Login, Refresh, Registration
from capsize_starter.api.problems import Kind
from capsize_starter.api.services import IdentityDep, UsersDep
from capsize_starter.api.strict import StrictRoute

router = APIRouter(prefix="/auth", tags=["auth"], route_class=StrictRoute)

# Tokens must not stay in anybody's cache.
NO_STORE = {"Cache-Control": "no-store"}


@router.post(
    "/register",
    status_code=201,
    responses=documented(
        201, "The new user", "User",
        Kind.MALFORMED, Kind.EMAIL_TAKEN, Kind.INVALID, Kind.OVERLOADED, Kind.DATABASE_AWAY,
    ),
)  # fmt: skip
async def register(body: Registration, users: UsersDep) -> Response:
    """Make a user."""
    return answer(await users.register(body.email, body.password, body.name), 201)


@router.post(
    "/login",
    responses=documented(
        200, "A session with its tokens", "Session",
        Kind.MALFORMED, Kind.BAD_CREDENTIALS, Kind.INVALID, Kind.TOO_MANY_ATTEMPTS, Kind.OVERLOADED,
        Kind.DATABASE_AWAY,
    ),
)  # fmt: skip
async def login(body: Login, request: Request, users: UsersDep) -> Response:
    """Trade email and password for tokens. Failed attempts are limited per account and per address."""
    address = request.client.host if request.client else "unknown"
    return answer(await users.login(body.email, body.password, address), headers=NO_STORE)


@router.post(
    "/refresh",
    responses=documented(
        200, "The session with new tokens", "Session",
        Kind.MALFORMED, Kind.BAD_REFRESH_TOKEN, Kind.INVALID, Kind.DATABASE_AWAY,
    ),
)  # fmt: skip
async def refresh(body: Refresh, users: UsersDep) -> Response:
    """Trade a refresh token for new tokens, once; a second use ends the session."""
    return answer(await users.refresh(body.refresh_token), headers=NO_STORE)


@router.post(
    "/logout",
    status_code=204,
    responses=documented(204, "The session has ended", None, Kind.UNAUTHENTICATED, Kind.DATABASE_AWAY),
)
async def logout(identity: IdentityDep, users: UsersDep) -> Response:
    """End the session that the token belongs to, with all its tokens."""
    await users.logout(identity)
    return Response(status_code=204)


@router.get("/me", responses=documented(200, "The caller", "User", Kind.UNAUTHENTICATED, Kind.DATABASE_AWAY))
async def me(identity: IdentityDep, users: UsersDep) -> Response:
    """Who the token speaks for."""
    return answer(await users.user(identity.user_id))
