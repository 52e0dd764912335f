"""The kinds of transactions that the starter makes, and how each is recognised on its way to the database.

A plan holds these patterns as data, since it must be replayable without the system's code. A test lays the table
beside the starter's SQL: each statement that writes belongs to exactly one kind, or to the few that are left out.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: the statement whose answer tells its sender that it took effect.

    That is the statement itself where it stands ``alone``, else the COMMIT of a ``transaction`` that did something
    in which this pattern is found.
    """

    name: str
    service: Literal["api", "worker"]
    does: str
    statement: str = r"^\s*COMMIT\b"
    transaction: str | None = None
    alone: bool = False


def _alone(name: str, service: Literal["api", "worker"], does: str, statement: str) -> Transaction:
    return Transaction(name=name, service=service, does=does, statement=statement, alone=True)


def _whole(name: str, service: Literal["api", "worker"], does: str, transaction: str) -> Transaction:
    return Transaction(name=name, service=service, does=does, transaction=transaction)


TRANSACTIONS: tuple[Transaction, ...] = (
    _alone("submit", "api", "inserts a task", r"^INSERT INTO tasks \(.*idempotency_key"),
    _alone("cancel", "api", "cancels a task", r"UPDATE tasks SET status = 'cancelled'"),
    _alone("retry", "api", "takes a task up again, also from the dead letters", r"attempts = 0, losses = 0"),
    _alone("delete", "api", "deletes a task that is over", r"DELETE FROM tasks\s+WHERE id = \$1"),
    _alone("purge", "api", "deletes a user's dead letters", r"DELETE FROM tasks WHERE status = 'failed'"),
    _alone("register", "api", "makes a user", r"^INSERT INTO users \("),
    _alone("attempt", "api", "counts an attempt to log in", r"INSERT INTO login_attempts AS"),
    _whole("login", "api", "begins a session", r"INSERT INTO user_sessions"),
    _alone("refresh", "api", "trades tokens in", r"UPDATE session_tokens token SET used_at"),
    _alone(
        "reuse",
        "api",
        "ends a session whose token came twice",
        r"^UPDATE user_sessions session SET revoked_at",
    ),
    _alone("logout", "api", "ends a session", r"^UPDATE user_sessions SET revoked_at"),
    _alone("claim", "worker", "claims tasks under a lease", r"SET status = 'running'.*FROM best"),
    _alone("heartbeat", "worker", "renews leases", r"^UPDATE tasks\s+SET lease_until = "),
    _alone("complete", "worker", "records a result", r"SET status = 'completed', result = \$3"),
    _whole("fail", "worker", "records a failure", r"SET status = CASE WHEN \$4.*attempts = attempts \+ 1"),
    _alone("hand-back", "worker", "gives a task back", r"SET status = 'pending', lease_until = NULL"),
    _alone("reap", "worker", "takes back what lost workers held", r"SET losses = losses \+ 1"),
    _whole(
        "refuse", "worker", "dead-letters tasks of an unknown type", r"SET status = 'failed', runs = runs"
    ),
    _whole("probe", "worker", "starts the one run that a circuit lets through", r"SET status = 'running'"),
    _whole(
        "circuit", "worker", "closes a circuit after a success", r"\AINSERT INTO breakers(?!.*UPDATE tasks)"
    ),
)
"""Every kind, the API's first."""

LEFT_OUT = {
    "enqueue_many": "no route uses it; benchmarks fill the queue with it",
    "set_password_hash": "made only when the parameters of the hash have changed since the user registered",
    "prune_attempts": "part of the transaction login",
    "prune_sessions": "part of the transaction login",
    "forgive": "part of the transaction login",
    "circuit_create": "part of the transactions fail, refuse, probe and circuit",
    "circuit_save": "part of the transactions fail, refuse, probe and circuit",
    "complete_locked": "batches are never made while a witness is present, which a run always has",
    "lease_locked": "batches are never made while a witness is present, which a run always has",
}
"""Statements that write and are no kind of their own, by name, and why."""
