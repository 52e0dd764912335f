"""What users of the starter do besides submitting tasks: accounts and sessions, and dealing with tasks that are over."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from capsize.core.http import Exchange, Request
from capsize.core.system import Session

Headers = tuple[tuple[str, str], ...]
JSON = (("content-type", "application/json"),)
PATHS = {
    "retry": ("POST", "/tasks/{}/retry"),
    "requeue": ("POST", "/tasks/dead-letter/{}/requeue"),
    "delete": ("DELETE", "/tasks/{}"),
    "purge": ("DELETE", "/tasks/dead-letter"),
}


class _Status(msgspec.Struct):
    status: str


class StarterUsers:
    """Follows :class:`~capsize.core.system.Operable` and :class:`~capsize.core.system.Accountable`."""

    def operation(
        self, what: Literal["retry", "requeue", "delete", "purge"], task: str, auth: Headers
    ) -> Request:
        """Return the request for one operation on a task, or for the purge of the user's dead letters."""
        method, path = PATHS[what]
        return Request(method=method, path=path.format(task), headers=auth)

    def look(self, task: str, auth: Headers) -> Request:
        """Return the request for one task."""
        return Request(method="GET", path=f"/tasks/{task}", headers=auth)

    def looked(self, exchange: Exchange) -> str | None:
        """Read the task's status."""
        response = exchange.response
        if response is None or response.status not in (200, 404):
            return None
        if response.status == 404:
            return "missing"
        return msgspec.json.decode(response.body, type=_Status).status

    def register(self, name: str) -> Request:
        """Return the registration of a user of that name."""
        return _post("/auth/register", {**_credentials(name), "name": name})

    def log_in(self, name: str) -> Request:
        """Return the login of a user of that name."""
        return _post("/auth/login", _credentials(name))

    def session(self, exchange: Exchange) -> Session | None:
        """Read the tokens."""
        if exchange.response is None or exchange.response.status != 200:
            return None
        try:
            return msgspec.json.decode(exchange.response.body, type=Session)
        except msgspec.DecodeError:
            return None

    def refresh(self, session: Session) -> Request:
        """Return the trade of the refresh token."""
        return _post("/auth/refresh", {"refresh_token": session.refresh_token})

    def whoami(self, session: Session) -> Request:
        """Return the question who the token speaks for."""
        return Request(method="GET", path="/auth/me", headers=self.speaking_as(session))

    def log_out(self, session: Session) -> Request:
        """Return the end of the session."""
        return Request(method="POST", path="/auth/logout", headers=self.speaking_as(session))

    def speaking_as(self, session: Session) -> Headers:
        """Return the bearer header."""
        return (("authorization", f"Bearer {session.token}"),)


def _credentials(name: str) -> dict[str, Any]:
    return {"email": f"{name}@capsize.example", "password": f"capsize-{name}-Pa55!"}


def _post(path: str, body: dict[str, Any]) -> Request:
    return Request(method="POST", path=path, headers=JSON, body=msgspec.json.encode(body))
