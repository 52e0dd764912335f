"""What is tested, as the protocol that an adapter follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from capsize.core.events import Outcome, Reported
from capsize.core.experiment import Experiment
from capsize.core.http import Exchange, Request, Send
from capsize.core.platform import Service


class TaskOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A task that capsize wants the service to run. ``key`` makes repeating the submission safe."""

    type: str
    payload: dict[str, Any]
    key: str
    priority: int | None = None
    max_attempts: int | None = None


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of the service's API that must succeed in the steady state, and the statuses that say so."""

    name: str
    request: Request
    expect: tuple[int, ...] = (200,)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a login hands out."""

    token: str
    refresh_token: str


class System(Protocol):
    """What is tested: how its services start, and how a client speaks to it. No state of a run in it."""

    name: str

    def services(self, replicas: dict[str, int], settings: dict[str, str]) -> tuple[Service, ...]:
        """Return the services in the order in which they start.

        ``settings`` are the experiment's: ``lease_s`` is how long a dead worker keeps its task,
        ``breaker_failures`` how many failures in a row open a circuit and ``breaker_open_s`` for how long,
        ``retry_base_s`` how long the second attempt waits; names in capitals are environment variables for
        the service's processes.
        """
        ...

    async def login(self, send: Send, name: str) -> tuple[tuple[str, str], ...]:
        """Make a user if need be, log in, and return the headers that authenticate. Raises StartError."""
        ...

    def delay_order(self, seconds: float, key: str) -> TaskOrder:
        """Return a task that takes so long and does nothing else."""
        ...

    def call_order(self, url: str, key: str, *, timeout_s: float) -> TaskOrder | None:
        """Return a task that calls a URL and fails unless it is answered 2xx in time; None: there is no such type."""
        ...

    def unknown_order(self, key: str) -> TaskOrder | None:
        """Return a task of a type that no worker knows; None when the service does not accept such a task."""
        ...

    def submit(self, order: TaskOrder, auth: tuple[tuple[str, str], ...]) -> Request:
        """Return the request that submits a task."""
        ...

    def submitted(self, exchange: Exchange) -> tuple[Outcome, str | None]:
        """Tell how a submission came out, with the task's id when it was accepted."""
        ...

    def cancel(self, task: str, auth: tuple[tuple[str, str], ...]) -> Request:
        """Return the request that cancels a task; 200 confirms it, 4xx says that it was too late."""
        ...

    async def audit(
        self, send: Send, auth: tuple[tuple[str, str], ...], tasks: Sequence[str]
    ) -> tuple[Reported, ...]:
        """Ask the service for its final word on tasks. ``t`` of the answers is 0; the caller stamps them."""
        ...

    def ready(self) -> Request:
        """Return the availability probe: it answers 200 only when the API can do real work."""
        ...

    def stats(self) -> Request:
        """Return the request for the task counts."""
        ...

    def counts(self, exchange: Exchange) -> dict[str, int] | None:
        """Read the task counts (``created``, ``pending`` ...) from an answer to ``stats``; None if it is none."""
        ...

    def breakers(self, auth: tuple[tuple[str, str], ...]) -> Request | None:
        """Return the request for the circuits' states; None when the service does not show them."""
        ...

    def circuits(self, exchange: Exchange) -> dict[str, str] | None:
        """Read ``closed``, ``open`` or ``half_open`` by task type from an answer to ``breakers``; None if it is none.

        A type that is not listed has a closed circuit.
        """
        ...

    def api_calls(self, auth: tuple[tuple[str, str], ...]) -> tuple[ApiCall, ...]:
        """Return harmless calls over the whole API, for the load that measures its success rate."""
        ...


Lack = Literal["tasks", "witness", "cancel", "counts", "circuits", "content", "database", "calls"]
"""What a system may be without: nothing that rests on it is claimed then."""


@runtime_checkable
class Lacking(Protocol):
    """A system that has less than the starter has, and says so."""

    def lacking(self) -> frozenset[Lack]:
        """Return what it is without."""
        ...


@runtime_checkable
class Fitting(Protocol):
    """A system whose owner has promises and thresholds of its own."""

    def fitted(self, experiment: Experiment) -> Experiment:
        """Return an experiment with them."""
        ...

    def figures(self, number: int) -> dict[str, Any]:
        """Return the figures of a level that are replaced, by their names in the level."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A system that tells what it holds of a task, so that what was accepted can be compared with it later."""

    def accepted(self, order: TaskOrder, exchange: Exchange) -> dict[str, Any]:
        """Return what a client may rely on after this acknowledgement: fields that may never change, as JSON values.

        That is what was ordered, and what else the answer states for good. The answers of ``audit`` carry the
        same fields in their ``content``.
        """
        ...


@runtime_checkable
class Tabular(Protocol):
    """A system whose tasks can be read in its database, beside the service."""

    def rows(self) -> str:
        """Return the statement that reads tasks by their ids, a ``text[]`` in ``$1``.

        Column ``task`` is the id as text; the others are the fields of :meth:`Telling.accepted`, as JSON text.
        """
        ...


@runtime_checkable
class Operable(Protocol):
    """A system whose users can take tasks up again, delete them, and purge what failed for good."""

    def operation(
        self,
        what: Literal["retry", "requeue", "delete", "purge"],
        task: str,
        auth: tuple[tuple[str, str], ...],
    ) -> Request:
        """Return the request; 2xx confirms it, 4xx says that the task is in no state for it. ``purge`` names no task."""
        ...

    def look(self, task: str, auth: tuple[tuple[str, str], ...]) -> Request:
        """Return the request for one task."""
        ...

    def looked(self, exchange: Exchange) -> str | None:
        """Read the task's status, ``missing`` when the service does not know it; None when that is no answer."""
        ...


@runtime_checkable
class Accountable(Protocol):
    """A system whose users have accounts and sessions."""

    def register(self, name: str) -> Request:
        """Return the request that makes a user; 201, or 409 when there is one of that name."""
        ...

    def log_in(self, name: str) -> Request:
        """Return the request that begins a session; 200, or 401 for a user that is not known."""
        ...

    def session(self, exchange: Exchange) -> Session | None:
        """Read what a login or a refresh handed out; None if it is none."""
        ...

    def refresh(self, session: Session) -> Request:
        """Return the request that trades the refresh token in, which works once; 200, or 401."""
        ...

    def whoami(self, session: Session) -> Request:
        """Return a request that only a session's token may make; 200, or 401."""
        ...

    def log_out(self, session: Session) -> Request:
        """Return the request that ends a session; 2xx, or 401 when it has ended."""
        ...

    def speaking_as(self, session: Session) -> tuple[tuple[str, str], ...]:
        """Return the headers that authenticate a session's user."""
        ...
