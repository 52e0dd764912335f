"""What the API answers to requests that no route is for, or that are too much."""

import asyncio
import json
import socket
from collections.abc import Callable

import pytest
from starter_api_helpers import Api, Client


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/tasks/", "/auth", "/health/nothing", "/problems/nothing"]
)
async def test_an_unknown_path_is_not_found(anyone: Client, path: str) -> None:
    """Also in problem form; no redirect to somewhere similar."""
    answer = await anyone("GET", path)
    assert answer.status == 404
    answer.problem(404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/tasks", {"GET", "POST"}),
        ("GET", "/auth/login", {"POST"}),
        ("POST", "/health", {"GET"}),
        ("PATCH", "/tasks/dead-letter", {"GET", "DELETE"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    user: Client, method: str, path: str, allowed: set[str]
) -> None:
    """405 with the methods of the path, all of them."""
    answer = await user(method, path)
    answer.problem(405, "method-not-allowed")
    assert allowed <= {name.strip() for name in answer.headers["allow"].split(",")}


async def test_every_problem_type_leads_to_its_description(anyone: Client) -> None:
    """The `type` of an error can be followed."""
    problem = (await anyone("GET", "/nothing")).problem(404, "not-found")
    answer = await anyone("GET", problem["type"])
    assert (answer.status, answer.body["title"]) == (200, problem["title"])


async def test_a_body_over_the_limit_is_refused(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Declared or in chunks; just under the limit is taken."""
    user = await connect(start(database_url, STARTER_BODY_MAX="2000", STARTER_DB_TIMEOUT_S="20")).signed_in()

    def body(size: int) -> bytes:
        empty = len(json.dumps({"type": "x", "payload": {"a": ""}}))
        return json.dumps({"type": "x", "payload": {"a": "y" * (size - empty)}}).encode()

    async def chunks(data: bytes) -> object:
        for begin in range(0, len(data), 500):
            yield data[begin : begin + 500]

    assert (await user("POST", "/tasks", data=body(2000))).status == 201
    assert (await user("POST", "/tasks", data=chunks(body(2000)))).status == 201
    (await user("POST", "/tasks", data=body(2001))).problem(413, "too-large")
    (await user("POST", "/tasks", data=chunks(body(2001)))).problem(413, "too-large")
    assert (await user("POST", "/tasks", data=body(100))).status == 201


async def test_a_body_that_never_comes_is_not_waited_for(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """408 after the limit, and the connection ends."""
    api = start(database_url, STARTER_BODY_TIMEOUT_S="0.3", STARTER_DB_TIMEOUT_S="20")
    user = await connect(api).signed_in()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"POST /tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {user.token}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{".encode()
    )
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer
    assert b"/problems/slow-body" in answer


async def test_a_failure_inside_shows_nothing_of_itself(
    start: Callable[..., Api], fresh_url: str, connect: Callable[[Api], Client]
) -> None:
    """500 without a word of the cause, which is in the log; the next request is served."""
    from capsize_starter.db import Database
    from capsize_starter.settings import DatabaseSettings

    api = start(fresh_url, STARTER_DB_TIMEOUT_S="20")
    user = await connect(api).signed_in()
    database = Database(DatabaseSettings(url=fresh_url, db_timeout_s=20))
    await database.execute("ALTER TABLE tasks RENAME COLUMN payload TO secret_name")
    answer = await user("GET", f"/tasks/{'0' * 8}-0000-7000-8000-{'0' * 12}")
    answer.problem(404, "task-not-found")  # still right: it reads every column there is
    broken = await user("POST", "/tasks", {"type": "x"})
    problem = broken.problem(500, "internal")
    assert "detail" not in problem
    assert "UndefinedColumn" in api.log.read_text()
    await database.execute("ALTER TABLE tasks RENAME COLUMN secret_name TO payload")
    await database.close()
    assert (await user("POST", "/tasks", {"type": "x"})).status == 201


async def test_what_is_not_http_does_no_harm(shared_api: Api, anyone: Client) -> None:
    """The server survives garbage."""
    for garbage in (b"\x00" * 100, b"GET\r\n\r\n", b"POST /tasks HTTP/1.1\r\ncontent-length: -5\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", shared_api.port), 10) as connection:
            connection.sendall(garbage)
            connection.recv(1000)
    assert (await anyone("GET", "/health/live")).status == 200


async def test_the_document_describes_every_route(anyone: Client) -> None:
    """OpenAPI builds, all its references lead somewhere, and errors are problems everywhere."""
    document = (await anyone("GET", "/openapi.json")).body
    assert document["openapi"].startswith("3.")
    text = json.dumps(document)
    for part in text.split('"$ref": "#/')[1:]:
        found = document
        for step in part.split('"', 1)[0].split("/"):
            found = found[step]
    expected = {
        "/health": {"get"},
        "/health/live": {"get"},
        "/health/ready": {"get"},
        "/health/detailed": {"get"},
        "/metrics": {"get"},
        "/auth/register": {"post"},
        "/auth/login": {"post"},
        "/auth/refresh": {"post"},
        "/auth/logout": {"post"},
        "/auth/me": {"get"},
        "/tasks": {"get", "post"},
        "/tasks/stats": {"get"},
        "/tasks/types": {"get"},
        "/tasks/circuit-breakers": {"get"},
        "/tasks/dead-letter": {"get", "delete"},
        "/tasks/dead-letter/{task_id}": {"delete"},
        "/tasks/dead-letter/{task_id}/requeue": {"post"},
        "/tasks/{task_id}": {"get", "delete"},
        "/tasks/{task_id}/cancel": {"post"},
        "/tasks/{task_id}/retry": {"post"},
    }
    assert {path: set(methods) for path, methods in document["paths"].items()} == expected
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and not path.startswith("/health"):
                    assert set(answer["content"]) == {"application/problem+json"}, (path, method, status)
            protected = path.startswith("/tasks") and path != "/tasks/stats"
            protected |= path in ("/auth/me", "/auth/logout")
            assert ("security" in operation) == protected, (path, method)
    docs = await anyone("GET", "/docs")
    assert docs.status == 200
    assert b"openapi.json" in docs.body
