"""Defects that show when the answer to something that was carried out is lost: one for each kind of transaction.

The scenario knows a statement by its text, so each defect that replaces one keeps the words it is known by, if need
be in a comment.
"""

from __future__ import annotations

import asyncio
from typing import Any

from quality.planted.model import Hunt, change_sql, defects

LOST_ANSWERS = Hunt("commit-ambiguity", level=1)
PENDING_AGAIN = "UPDATE tasks SET run_at = now(), status = 'pending', lease_until = NULL WHERE id = $1"
"""As a service does that has no fencing: whatever became of the task meanwhile."""


def insert_repeated_without_its_key() -> None:
    """An insert whose answer is lost is made again without the idempotency key."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import queue

    enqueue = queue.Queue.enqueue

    async def again(self: Any, new: Any, *, user_id: Any = None, idempotency_key: str | None = None) -> Any:
        try:
            return await enqueue(self, new, user_id=user_id, idempotency_key=idempotency_key)
        except Unavailable:
            return await enqueue(self, new, user_id=user_id, idempotency_key=None)

    queue.Queue.enqueue = again  # type: ignore[method-assign]


def cancel_moves_the_task() -> None:
    """A cancelled task is taken out of the queue, and put among the cancelled ones only when that was answered."""
    from capsize_starter.queue import queue

    cancel = queue.SQL._queries["cancel"]

    async def moved(self: Any, task_id: Any, *, user_id: Any = None) -> Any:
        row = await self._db.fetchrow(
            "WITH gone AS (DELETE FROM tasks WHERE id = $1 AND status IN ('pending', 'running') RETURNING *)"
            " SELECT row_to_json(gone)::text AS body FROM gone /* UPDATE tasks SET status = 'cancelled' */",
            task_id,
        )
        if row is not None:
            await self._db.execute(
                "INSERT INTO tasks SELECT * FROM json_populate_record(NULL::tasks, $1::json)", row["body"]
            )
        return await self._change(cancel, task_id, user_id, "cancelled")

    queue.Queue.cancel = moved  # type: ignore[method-assign]


def retry_enqueues_a_copy() -> None:
    """When the answer to a retry is lost, a copy of the task is put into the queue to be on the safe side."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import queue

    again = queue.Queue._again

    async def or_copy(self: Any, task_id: Any, user_id: Any, wanted: str, statuses: Any) -> Any:
        try:
            return await again(self, task_id, user_id, wanted, statuses)
        except Unavailable:
            task = await self.get(task_id, user_id=user_id)
            new = queue.NewTask(type=task.type, payload=task.payload)
            await self.enqueue(new, user_id=user_id)
            return task

    queue.Queue._again = or_copy  # type: ignore[method-assign]


def delete_counts_twice() -> None:
    """The count of tasks is lowered again when the answer to a delete is lost."""
    _counts_again("delete")


def purge_counts_twice() -> None:
    """The count of tasks is lowered again when the answer to a purge is lost."""
    _counts_again("purge_dead_letters")


def _counts_again(method: str) -> None:
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import queue

    plain = getattr(queue.Queue, method)

    async def counting(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return await plain(self, *args, **options)
        except Unavailable:
            await self._db.execute("UPDATE tasks_created SET total = total - 1 WHERE shard = 0")
            raise

    setattr(queue.Queue, method, counting)


def registration_repeated() -> None:
    """The insert of a user is repeated by the server, which then takes its own first try for somebody else's."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    register = users.Users.register

    async def twice(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return await register(self, *args, **options)
        except Unavailable:
            return await register(self, *args, **options)

    users.Users.register = twice  # type: ignore[method-assign]


def attempt_in_doubt_locks_out() -> None:
    """An attempt to log in whose count could not be confirmed is counted as many."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    login = users.Users.login

    async def strict(self: Any, email: str, password: str, address: str) -> Any:
        known = await self._db.fetchval("SELECT count(*) FROM login_attempts")
        try:
            return await login(self, email, password, address)
        except Unavailable:
            if await self._db.fetchval("SELECT count(*) FROM login_attempts") > known:
                await self._db.execute(
                    "UPDATE login_attempts SET failures = 1000 WHERE key = $1", f"account:{email.lower()}"
                )
            raise

    users.Users.login = strict  # type: ignore[method-assign]


def login_cleans_up_what_it_gave_out() -> None:
    """A session whose commit is in doubt is handed out all the same, and cleaned up as one that was never made."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    open_session, make = users.Users._open_session, users._Tokens.new
    last: list[Any] = []

    def remembered() -> Any:
        last[:] = [make()]
        return last[0]

    async def optimistic(self: Any, user: Any, keys: Any) -> Any:
        try:
            return await open_session(self, user, keys)
        except Unavailable:
            from datetime import UTC, datetime, timedelta

            await self._db.execute(
                "UPDATE user_sessions s SET revoked_at = now() WHERE user_id = $1", user.id
            )
            return users._session(last[0], datetime.now(UTC) + timedelta(hours=1), user)

    users._Tokens.new = remembered  # type: ignore[method-assign]
    users.Users._open_session = optimistic  # type: ignore[method-assign]


def refresh_repeated() -> None:
    """The server repeats a refresh whose answer was lost, and takes its own first try for a thief's."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    refresh = users.Users.refresh

    async def twice(self: Any, refresh_token: str) -> Any:
        try:
            return await refresh(self, refresh_token)
        except Unavailable:
            return await refresh(self, refresh_token)

    users.Users.refresh = twice  # type: ignore[method-assign]


def reuse_fails_open() -> None:
    """When it can't be told whether a refresh token was spent, it is taken for good."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    end = users.Users._end_if_reused
    refresh = users.Users.refresh

    async def in_doubt(self: Any, spent: Any) -> None:
        try:
            await end(self, spent)
        except Unavailable:
            await self._db.execute(
                "UPDATE session_tokens SET used_at = NULL WHERE token_hash = $1 AND kind = 'refresh'", spent
            )
            await self._db.execute(
                "UPDATE user_sessions s SET revoked_at = NULL FROM session_tokens t"
                " WHERE t.token_hash = $1 AND s.id = t.session_id", spent
            )  # fmt: skip
            raise

    async def again(self: Any, refresh_token: str) -> Any:
        try:
            return await refresh(self, refresh_token)
        except Unavailable:
            return await refresh(self, refresh_token)

    users.Users._end_if_reused = in_doubt  # type: ignore[method-assign]
    users.Users.refresh = again  # type: ignore[method-assign]


def logout_believed_before_it_is_known() -> None:
    """A logout whose answer is lost is confirmed, and this process goes on trusting the token."""
    from capsize_starter.db import Unavailable
    from capsize_starter.users import users

    async def logout(self: Any, identity: Any) -> None:
        try:
            await self._db.execute(users.SQL.revoke, identity.session_id)
        except Unavailable:
            return
        self._cache.forget(identity.session_id)

    users.Users.logout = logout  # type: ignore[method-assign]


def renews_whatever_bears_its_name() -> None:
    """A worker renews all tasks that are under its name, also those of a claim of which it was never told."""
    from capsize_starter.queue import claims
    from capsize_starter.worker import keeper

    claims.SQL._queries["renew"] = (
        "UPDATE tasks\nSET lease_until = clock_timestamp() + make_interval(secs => $3)"
        " WHERE status = 'running' AND worker = current_setting('application_name')"
        " AND $1::uuid[] IS NOT NULL AND $2::integer[] IS NOT NULL RETURNING id"
    )

    async def renew(self: Any) -> None:
        asked_at = keeper.lease_clock()
        runs = list(self._running.values())
        ours = await self._claims.renew([(one.claimed.id, one.claimed.run) for one in runs])
        for one in runs:
            if one.claimed.id in ours:
                one.lease.renewed(asked_at, self._settings.lease_s)

    keeper.Keeper._renew = renew  # type: ignore[method-assign]


def one_lost_heartbeat_ends_them_all() -> None:
    """The heart stops at the first error, and the worker does not notice that its leases run out."""
    from capsize_starter.worker import keeper

    async def keep(self: Any) -> None:
        while True:
            try:
                await self._renew()
            except Exception:
                return
            await asyncio.sleep(self._settings.heartbeat_s)

    keeper.Keeper.keep = keep  # type: ignore[method-assign]
    _goes_on_without_lease()


def _goes_on_without_lease() -> None:
    from capsize_starter.worker import keeper, lease

    lease.Lease.held = lambda self, clock=None: True  # type: ignore[method-assign, assignment, misc]
    lease.Lease.check = lambda self: None  # type: ignore[method-assign]
    keeper.Running.lose = lambda self, reason: None  # type: ignore[method-assign]


def completion_taken_for_a_failure() -> None:
    """A result whose recording was not answered counts as not done: the task is done again."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import claims

    complete = claims.Claims.complete

    async def or_again(self: Any, task_id: Any, run: int, type: str, result: Any) -> bool:
        try:
            return await complete(self, task_id, run, type, result)
        except Unavailable:
            await self._db.execute(PENDING_AGAIN, task_id)
            return False

    claims.Claims.complete = or_again  # type: ignore[method-assign]


def failure_counted_twice() -> None:
    """The record of a failure is not fenced: repeated, it counts a second attempt."""
    change_sql("claims", "fail", "AND runs = $2 AND status = 'running'", "AND $2::integer IS NOT NULL")


def hand_back_repeated_later() -> None:
    """A task is handed back again a moment later, when somebody else is at work on it."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import claims
    from capsize_starter.worker import keeper

    hand_back = claims.Claims.hand_back

    async def again(self: Any, task_id: Any, run: int) -> bool:
        try:
            return await hand_back(self, task_id, run)
        except Unavailable:
            for _ in range(40):
                await asyncio.sleep(0.1)
                if "1" in str(await self._db.execute(f"{PENDING_AGAIN} AND status = 'running'", task_id)):
                    break
            return True

    claims.Claims.hand_back = again  # type: ignore[method-assign]
    keeper.Running.lose = _unless_taken_over(keeper.Running.lose)  # type: ignore[method-assign]


def _unless_taken_over(lose: Any) -> Any:
    """Have runs go on whose record says that somebody else has them."""

    def losing(self: Any, reason: str) -> None:
        if reason != "the task was cancelled or taken over":
            lose(self, reason)

    return losing


def reaps_in_two_steps() -> None:
    """What a lost worker held is marked first, and made pending when that was answered: else it stays marked."""
    from capsize_starter.queue import claims

    async def reap(self: Any) -> list[Any]:
        rows = await self._db.fetch(
            "UPDATE tasks SET worker = NULL, lease_until = NULL"
            " WHERE status = 'running' AND lease_until < clock_timestamp()"
            " RETURNING id, type, runs, status, losses, worker /* SET losses = losses + 1 */"
        )
        for row in rows:
            await self._db.execute(f"{PENDING_AGAIN} AND status = 'running'", row["id"])
        return [claims.Lost(**row) for row in rows]

    claims.Claims.reap = reap  # type: ignore[method-assign]


def refuses_in_two_steps() -> None:
    """A task of an unknown type is taken out of the queue, and dead-lettered when that was answered."""
    from capsize_starter.queue import claims

    async def refuse(self: Any, type: str) -> int:
        async with self._db.transaction() as connection:
            rows = await connection.fetch(
                "WITH gone AS (DELETE FROM tasks WHERE type = $1 AND status = 'pending'"
                " AND run_at <= clock_timestamp() RETURNING *)"
                " SELECT row_to_json(gone)::text AS body FROM gone /* SET status = 'failed', runs = runs */",
                type,
            )
        for row in rows:
            await self._db.execute(
                "INSERT INTO tasks SELECT * FROM json_populate_record(NULL::tasks,"
                ' ($1::jsonb || \'{"status": "failed", "error": "UnknownType"}\')::json)',
                row["body"],
            )
        return len(rows)

    claims.Claims.refuse = refuse  # type: ignore[method-assign]


def waits_for_a_probe_that_nobody_runs() -> None:
    """A probe counts as under way until it is over, also when its worker was never told of it."""
    under_way = "p.runs = b.probe_run AND p.status = 'running'"
    for query in ("peek", "circuit_read"):
        change_sql("claims", query, under_way, "p.runs = b.probe_run AND p.status IN ('running', 'pending')")


def circuit_in_doubt_undoes_the_task() -> None:
    """When the circuit's change is not answered, the task that it came with is done again."""
    from capsize_starter.db import Unavailable
    from capsize_starter.queue import circuits, claims

    change, complete = circuits.change, claims.Claims.complete
    doubtful: list[bool] = []

    async def noted(connection: Any, type: str, decide: Any) -> Any:
        doubtful[:] = [True]
        return await change(connection, type, decide)

    async def or_again(self: Any, task_id: Any, run: int, type: str, result: Any) -> bool:
        doubtful.clear()
        try:
            return await complete(self, task_id, run, type, result)
        except Unavailable:
            if not doubtful:
                raise
            await self._db.execute(PENDING_AGAIN, task_id)
            return False

    circuits.change = noted
    claims.Claims.complete = or_again  # type: ignore[method-assign]


DEFECTS = defects(
    (insert_repeated_without_its_key, LOST_ANSWERS, {"duplicate"}),
    (cancel_moves_the_task, LOST_ANSWERS, {"lost"}),
    (retry_enqueues_a_copy, LOST_ANSWERS, {"duplicate"}),
    (delete_counts_twice, LOST_ANSWERS, {"unaccounted"}),
    (purge_counts_twice, LOST_ANSWERS, {"unaccounted"}),
    (registration_repeated, LOST_ANSWERS, {"duplicate"}),
    (attempt_in_doubt_locks_out, LOST_ANSWERS, {"lost"}),
    (login_cleans_up_what_it_gave_out, LOST_ANSWERS, {"lost"}),
    (refresh_repeated, LOST_ANSWERS, {"lost"}),
    (reuse_fails_open, LOST_ANSWERS, {"duplicate"}),
    (logout_believed_before_it_is_known, LOST_ANSWERS, {"resurrected"}),
    (renews_whatever_bears_its_name, LOST_ANSWERS, {"stuck", "lost"}),
    (one_lost_heartbeat_ends_them_all, LOST_ANSWERS, {"overlap", "duplicate"}),
    (completion_taken_for_a_failure, LOST_ANSWERS, {"duplicate"}),
    (failure_counted_twice, LOST_ANSWERS, {"attempts"}),
    (hand_back_repeated_later, LOST_ANSWERS, {"overlap", "duplicate"}),
    (reaps_in_two_steps, LOST_ANSWERS, {"stuck", "lost"}),
    (refuses_in_two_steps, LOST_ANSWERS, {"lost"}),
    (waits_for_a_probe_that_nobody_runs, LOST_ANSWERS, {"lost"}),
    (circuit_in_doubt_undoes_the_task, LOST_ANSWERS, {"duplicate"}),
)
