"""Tasks through a real server: submission, idempotency, pages, changes, and whose they are."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from starter_api_helpers import Client, until

from capsize_starter.db import Database

FIELDS = {
    "id", "type", "status", "payload", "result", "error", "priority", "attempts", "losses", "max_attempts",
    "run_at", "created_at", "started_at", "finished_at", "worker",
}  # fmt: skip
DELAY = {"type": "delay", "payload": {"seconds": 1.5}}


async def test_a_task_is_accepted_and_can_be_looked_at(user: Client) -> None:
    """201 with the task of the contract, a place to find it, and the same task there."""
    made = await user("POST", "/tasks", DELAY | {"priority": 7, "max_attempts": 2})
    assert made.status == 201
    assert set(made.body) == FIELDS
    assert made.headers["location"] == f"/tasks/{made.body['id']}"
    assert (made.body["status"], made.body["priority"], made.body["max_attempts"]) == ("pending", 7, 2)
    assert made.body["payload"] == {"seconds": 1.5}
    seen = await user("GET", made.headers["location"])
    assert (seen.status, seen.body) == (200, made.body)


async def test_a_task_can_be_scheduled(user: Client) -> None:
    """`run_at` is kept as the same moment."""
    made = await user("POST", "/tasks", DELAY | {"run_at": "2031-01-01T12:00:00+02:00"})
    assert (made.status, made.body["run_at"]) == (201, "2031-01-01T10:00:00Z")


async def test_a_type_that_nobody_knows_is_accepted(user: Client) -> None:
    """Its worker will refuse it; the guide's `nonexistent_type` depends on that."""
    made = await user("POST", "/tasks", {"type": "nonexistent_type", "payload": {"any": ["thing", None]}})
    assert (made.status, made.body["payload"]) == (201, {"any": ["thing", None]})


async def test_a_payload_comes_back_as_it_was_sent(user: Client) -> None:
    """Unicode, NUL, depth and large integers included."""
    payload = {"text": "ä\u0000\U0001f600", "deep": [[[[{"a": None}]]]], "n": 2**63 - 1, "f": 0.1, "": ""}
    made = await user("POST", "/tasks", {"type": "x", "payload": payload})
    assert (made.status, made.body["payload"]) == (201, payload)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": ""},
        {"type": "x" * 101},
        {"type": "a b"},
        {"type": "a\x00"},
        {"type": 5},
        {"type": "x", "payload": []},
        {"type": "x", "payload": "text"},
        {"type": "x", "priority": 40000},
        {"type": "x", "priority": "high"},
        {"type": "x", "max_attempts": 0},
        {"type": "x", "run_at": "2031-01-01T12:00:00"},
        {"type": "x", "run_at": "tomorrow"},
        {"type": "x", "colour": "red"},
        [DELAY],
        None,
    ],
)
async def test_a_bad_task_says_what_is_wrong(user: Client, body: object) -> None:
    """Each faulty body is refused with the fields at fault, and nothing is inserted."""
    problem = (await user("POST", "/tasks", body)).problem(422, "invalid")
    assert problem["errors"]
    assert (await user("GET", "/tasks")).body["items"] == []


@pytest.mark.parametrize(
    ("kind", "payload", "field"),
    [
        ("delay", {"seconds": "x"}, "body.payload.seconds"),
        ("delay", {"seconds": -1}, "body.payload.seconds"),
        ("delay", {"seconds": 3601}, "body.payload.seconds"),
        ("delay", {}, "body.payload.seconds"),
        ("delay", {"seconds": 1, "minutes": 1}, "body.payload.minutes"),
        ("webhook", {"url": "ftp://example.com"}, "body.payload.url"),
    ],
)
async def test_the_payload_of_a_known_type_is_checked(
    user: Client, kind: str, payload: dict[str, Any], field: str
) -> None:
    """At submission, with the field at fault."""
    problem = (await user("POST", "/tasks", {"type": kind, "payload": payload})).problem(
        422, "invalid-payload"
    )
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{bad",
        b'{"type": "x", "payload": {"n": NaN}}',
        b'{"type": "x", "payload": {"t": "\\ud800"}}',
        b"\xff\xfe",
    ],
)
async def test_what_is_not_json_is_malformed(user: Client, data: bytes) -> None:
    """Never a 500, and nothing that could not be read again gets in."""
    answer = await user("POST", "/tasks", data=data)
    if data:
        answer.problem(400, "malformed-request")
    else:
        answer.problem(422, "invalid")


async def test_nesting_without_end_is_refused(user: Client) -> None:
    """A body that would blow the stack of whoever reads it is no 500."""
    data = b'{"type":"x","payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    answer = await user("POST", "/tasks", data=data)
    answer.problem(400, "malformed-request")


async def test_the_same_key_gives_the_same_task(user: Client) -> None:
    """A repeated request is answered with 200, a header that says so, and the first task."""
    first = await user("POST", "/tasks", DELAY, idempotency_key="k-1")
    again = await user("POST", "/tasks", DELAY, idempotency_key="k-1")
    assert (first.status, again.status) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == first.body
    assert len((await user("GET", "/tasks")).body["items"]) == 1


async def test_the_order_of_members_makes_no_other_request(user: Client) -> None:
    """Clients that serialise anew for each try are repeating themselves."""
    one = b'{"type":"x","payload":{"a":1,"b":2},"priority":0}'
    other = b'{ "payload": {"b":2, "a":1}, "type": "x" }'
    first = await user("POST", "/tasks", data=one, idempotency_key="k")
    again = await user("POST", "/tasks", data=other, idempotency_key="k")
    assert (again.status, again.body["id"]) == (200, first.body["id"])


async def test_the_same_key_for_another_request_is_refused(user: Client) -> None:
    """422, and the first task is untouched."""
    first = await user("POST", "/tasks", DELAY, idempotency_key="k")
    other = await user("POST", "/tasks", DELAY | {"payload": {"seconds": 2}}, idempotency_key="k")
    other.problem(422, "idempotency-key-reused")
    assert (await user("GET", f"/tasks/{first.body['id']}")).body == first.body


async def test_keys_of_two_users_are_strangers(user: Client) -> None:
    """One user's keys can't collide with another's, nor reveal them."""
    other = await user.signed_in()
    mine = await user("POST", "/tasks", DELAY, idempotency_key="k")
    theirs = await other("POST", "/tasks", DELAY, idempotency_key="k")
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.body["id"] != theirs.body["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\xe4"])
async def test_a_malformed_key_is_refused(user: Client, key: str) -> None:
    """Rather than ignored, which would cost the client its protection."""
    (await user("POST", "/tasks", DELAY, idempotency_key=key)).problem(422, "invalid")


async def test_of_many_requests_with_one_key_at_once_one_inserts(user: Client) -> None:
    """The race has one winner, and all get the same task."""
    for round_ in range(5):
        key = f"race-{round_}"
        answers = await asyncio.gather(
            *(user("POST", "/tasks", DELAY, idempotency_key=key) for _ in range(16))
        )
        assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
        assert len({answer.body["id"] for answer in answers}) == 1
    assert len((await user("GET", "/tasks")).body["items"]) == 5


async def test_a_request_whose_answer_was_lost_can_be_repeated(user: Client) -> None:
    """The client hangs up without reading; the repeat finds the task that was made."""
    body = json.dumps(DELAY).encode()
    head = (
        f"POST /tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {user.token}\r\nidempotency-key: lost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    port = int(user.base.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + body)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close by RST

    async def inserted() -> list[Any]:
        items: list[Any] = (await user("GET", "/tasks")).body["items"]
        return items

    [made] = await until(inserted, why="the task of the lost answer is there")
    again = await user("POST", "/tasks", DELAY, idempotency_key="lost")
    assert (again.status, again.body["id"]) == (200, made["id"])


async def test_a_deleted_task_frees_its_key(user: Client, put: Callable[..., Any]) -> None:
    """After the task is gone the key makes a new one."""
    first = await user("POST", "/tasks", DELAY, idempotency_key="k")
    await put(first.body["id"], "completed")
    assert (await user("DELETE", f"/tasks/{first.body['id']}")).status == 204
    again = await user("POST", "/tasks", DELAY, idempotency_key="k")
    assert again.status == 201
    assert again.body["id"] != first.body["id"]


async def test_another_users_task_does_not_exist(user: Client, put: Callable[..., Any]) -> None:
    """Every way to a task answers 404 to all but its owner, and leaves it alone."""
    task = await user.task()
    failed = await user.task()
    await put(failed["id"], "failed")
    other = await user.signed_in()
    for method, path in (
        ("GET", f"/tasks/{task['id']}"),
        ("POST", f"/tasks/{task['id']}/cancel"),
        ("POST", f"/tasks/{failed['id']}/retry"),
        ("DELETE", f"/tasks/{failed['id']}"),
        ("POST", f"/tasks/dead-letter/{failed['id']}/requeue"),
        ("DELETE", f"/tasks/dead-letter/{failed['id']}"),
    ):
        (await other(method, path)).problem(404, "task-not-found")
    assert (await other("GET", "/tasks")).body == {"items": [], "next_cursor": None}
    assert (await other("GET", "/tasks/dead-letter")).body["items"] == []
    assert (await other("DELETE", "/tasks/dead-letter")).body == {"deleted": 0}
    assert all(not any(kind["tasks"].values()) for kind in (await other("GET", "/tasks/types")).body["items"])
    assert (await user("GET", f"/tasks/{task['id']}")).body["status"] == "pending"
    assert (await user("GET", f"/tasks/{failed['id']}")).body["status"] == "failed"


@pytest.mark.parametrize("task_id", [str(uuid4()), "nonsense", "0", "..%2f"])
async def test_an_id_of_nothing_is_not_found(user: Client, task_id: str) -> None:
    """404 for an unknown id and for one that can't be an id at all."""
    for method, tail in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")):
        answer = await user(method, f"/tasks/{task_id}{tail}")
        assert answer.status == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_pending_task_can_be_cancelled_once(user: Client) -> None:
    """And a task that is over can't be."""
    task = await user.task()
    cancelled = await user("POST", f"/tasks/{task['id']}/cancel")
    assert (cancelled.status, cancelled.body["status"]) == (200, "cancelled")
    problem = (await user("POST", f"/tasks/{task['id']}/cancel")).problem(409, "wrong-state")
    assert problem["task_status"] == "cancelled"


@pytest.mark.parametrize(
    ("status", "cancel", "retry", "delete"),
    [
        ("pending", 200, 409, 409),
        ("running", 200, 409, 409),
        ("completed", 409, 409, 204),
        ("failed", 409, 200, 204),
        ("cancelled", 409, 200, 204),
    ],
)
async def test_which_change_is_allowed_in_which_status(
    user: Client, put: Callable[..., Any], status: str, cancel: int, retry: int, delete: int
) -> None:
    """The table of the contract, each cell on a task of its own."""
    for method, tail, expected in (
        ("POST", "/cancel", cancel),
        ("POST", "/retry", retry),
        ("DELETE", "", delete),
    ):
        task = await user.task()
        await put(task["id"], status)
        answer = await user(method, f"/tasks/{task['id']}{tail}")
        assert answer.status == expected, (tail, answer.body)
        if expected == 409:
            answer.problem(409, "wrong-state")
            assert (await user("GET", f"/tasks/{task['id']}")).body["status"] == status
        if expected == 204:
            (await user("GET", f"/tasks/{task['id']}")).problem(404, "task-not-found")
        if tail == "/retry" and expected == 200:
            assert (answer.body["status"], answer.body["attempts"]) == ("pending", 0)


async def test_the_dead_letter_queue_is_the_failed_tasks(user: Client, put: Callable[..., Any]) -> None:
    """Listed, requeued, deleted one by one, purged; what did not fail stays out of it."""
    tasks = [await user.task() for _ in range(5)]
    for task in tasks[:4]:
        await put(task["id"], "failed")
    page = (await user("GET", "/tasks/dead-letter")).body
    assert {item["id"] for item in page["items"]} == {task["id"] for task in tasks[:4]}

    requeued = await user("POST", f"/tasks/dead-letter/{tasks[0]['id']}/requeue")
    assert (requeued.status, requeued.body["status"]) == (200, "pending")
    (await user("POST", f"/tasks/dead-letter/{tasks[0]['id']}/requeue")).problem(409, "wrong-state")
    assert (await user("DELETE", f"/tasks/dead-letter/{tasks[1]['id']}")).status == 204
    (await user("DELETE", f"/tasks/dead-letter/{tasks[1]['id']}")).problem(404, "task-not-found")
    (await user("DELETE", f"/tasks/dead-letter/{tasks[4]['id']}")).problem(409, "wrong-state")

    purged = await user("DELETE", "/tasks/dead-letter")
    assert (purged.status, purged.body) == (200, {"deleted": 2})
    assert (await user("GET", "/tasks/dead-letter")).body == {"items": [], "next_cursor": None}
    assert len((await user("GET", "/tasks")).body["items"]) == 2


async def test_tasks_are_filtered(user: Client, put: Callable[..., Any], database: Database) -> None:
    """By status, by type, by time of creation, and by all together."""
    old, new, other = await user.task("a"), await user.task("a"), await user.task("b")
    await put(new["id"], "completed")
    await database.execute(
        "UPDATE tasks SET created_at = '2020-01-01T00:00:00Z' WHERE id = $1::text::uuid", old["id"]
    )

    async def ids(**query: str) -> list[str]:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        answer = await user("GET", f"/tasks?{text}")
        assert answer.status == 200, answer.body
        return [item["id"] for item in answer.body["items"]]

    assert await ids() == [other["id"], new["id"], old["id"]]
    assert await ids(status="pending") == [other["id"], old["id"]]
    assert await ids(type="a") == [new["id"], old["id"]]
    assert await ids(type="a", status="completed") == [new["id"]]
    assert await ids(created_before="2020-01-02T00:00:00Z") == [old["id"]]
    assert await ids(created_after="2020-01-02T00:00:00Z") == [other["id"], new["id"]]
    assert await ids(created_after="2020-01-01T00:00:00Z", created_before="2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=x", "status=done", "type=a%20b", "created_after=2020-01-01", "colour=red",
     "created_after=2020-01-01T00:00:00"],
)  # fmt: skip
async def test_a_bad_query_is_refused(user: Client, query: str) -> None:
    """An unknown or malformed filter is an error; ignoring it would show the wrong tasks."""
    (await user("GET", f"/tasks?{query}")).problem(422, "invalid")


@pytest.mark.parametrize("cursor", ["x", "!!!!", "AAAA", "%00"])
async def test_a_foreign_cursor_is_refused(user: Client, cursor: str) -> None:
    """400 for the list and for the dead letters."""
    (await user("GET", f"/tasks?cursor={cursor}")).problem(400, "bad-cursor")
    (await user("GET", f"/tasks/dead-letter?cursor={cursor}")).problem(400, "bad-cursor")


async def test_pages_are_complete_while_tasks_are_inserted(user: Client) -> None:
    """Reading page by page shows every task that was there at the start, once, newest first."""
    before = {(await user.task())["id"] for _ in range(40)}
    stop = asyncio.Event()

    async def insert() -> int:
        count = 0
        while not stop.is_set():
            await user.task()
            count += 1
        return count

    inserting = asyncio.create_task(insert())
    seen: list[str] = []
    cursor = None
    while True:
        query = "limit=7" + (f"&cursor={cursor}" if cursor else "")
        page = (await user("GET", f"/tasks?{query}")).body
        assert len(page["items"]) <= 7
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    stop.set()
    assert await inserting > 0
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    assert seen == sorted(seen, reverse=True)


async def test_statistics_need_no_token_and_add_up(
    anyone: Client, user: Client, put: Callable[..., Any]
) -> None:
    """Counts of all users' tasks in one snapshot, and nothing else."""
    before = (await anyone("GET", "/tasks/stats")).body
    for status in ("pending", "running", "completed", "failed", "cancelled"):
        await put((await user.task())["id"], status)
    answer = await anyone("GET", "/tasks/stats")
    assert answer.status == 200
    after = answer.body
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {
        "created": 5, "pending": 1, "running": 1, "completed": 1, "failed": 1, "cancelled": 1, "dead_letter": 1,
    }  # fmt: skip


async def test_the_types_are_listed_with_their_schemas(user: Client) -> None:
    """All six of the service, and those that the user invented, without a schema."""
    await user.task("delay")
    await user.task("invented")
    kinds = {kind["type"]: kind for kind in (await user("GET", "/tasks/types")).body["items"]}
    assert {"delay", "webhook", "email", "data_processing", "report_generation", "file_cleanup"} <= set(kinds)
    assert "seconds" in json.dumps(kinds["delay"]["payload_schema"])
    assert kinds["delay"]["tasks"]["pending"] == 1
    assert kinds["invented"]["payload_schema"] is None


async def test_circuits_are_shown(user: Client, database: Database) -> None:
    """As they stand in the database."""
    name = f"t{uuid4().hex}"
    await database.execute(
        "INSERT INTO breakers (type, state, failures, opened_at, open_until) "
        "VALUES ($1, 'open', 5, now(), now() + interval '30 s')",
        name,
    )
    answer = await user("GET", "/tasks/circuit-breakers")
    [found] = [one for one in answer.body["items"] if one["type"] == name]
    assert (found["state"], found["failures"]) == ("open", 5)
    (await user.other()("GET", "/tasks/circuit-breakers")).problem(401, "unauthenticated")
