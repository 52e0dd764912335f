"""The API's small parts: the error table, metrics, the body limit, importing."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import capsize_starter.api
from capsize_starter.api.metrics import BUCKETS_S, Histogram, RequestMetrics, sample
from capsize_starter.api.middleware import BodyLimit
from capsize_starter.api.problems import Kind, Problem, problem_response

SOURCE = Path(capsize_starter.api.__file__).parent


def test_the_error_table_has_no_doubles() -> None:
    """Each problem type is its own, and its status is an error."""
    assert len({kind.slug for kind in Kind}) == len(Kind)
    assert all(400 <= kind.status <= 599 for kind in Kind)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.slug)
def test_every_problem_has_its_form_and_headers(kind: Kind) -> None:
    """Media type, members, and the headers that the status demands."""
    response = problem_response(Problem(kind, "why", errors=[]))
    assert response.media_type == "application/problem+json"
    body = json.loads(bytes(response.body))
    assert body == {
        "type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": "why", "errors": [],
    }  # fmt: skip
    assert ("www-authenticate" in response.headers) == (kind.status == 401)
    assert ("retry-after" in response.headers) == (kind.status == 503)


def test_errors_are_answered_in_one_place_only() -> None:
    """No other module builds an error answer: none names the media type or raises an HTTPException."""
    for path in SOURCE.rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        if path.name not in ("problems.py", "answers.py"):
            assert "MEDIA_TYPE" not in names, path
        if path.name != "errors.py":
            assert "HTTPException" not in names, path


def test_a_histogram_counts_each_value_once_and_up_to_its_bound() -> None:
    """Cumulative buckets, bounds included."""
    histogram = Histogram()
    for value in (0.0, BUCKETS_S[0], BUCKETS_S[0] * 1.01, 99.0):
        histogram.observe(value)
    lines = dict(line.rsplit(" ", 1) for line in histogram.lines("h", ()))
    assert lines['h_bucket{le="0.001"}'] == "2"
    assert lines['h_bucket{le="0.0025"}'] == "3"
    assert lines['h_bucket{le="10.0"}'] == "3"
    assert lines['h_bucket{le="+Inf"}'] == lines["h_count"] == "4"


def test_label_values_are_escaped() -> None:
    """A quote, a backslash or a line end can't break the format."""
    assert sample("m", (("a", 'x"\\\n'),), 1) == 'm{a="x\\"\\\\\\n"} 1'


def test_requests_are_counted_apart() -> None:
    """By method, route and status."""
    metrics = RequestMetrics()
    metrics.record("GET", "/a", 200, 0.1)
    metrics.record("GET", "/a", 200, 0.1)
    metrics.record("GET", "/a", 404, 0.1)
    lines = list(metrics.lines())
    assert 'http_requests_total{method="GET",route="/a",status="200"} 2' in lines
    assert 'http_requests_total{method="GET",route="/a",status="404"} 1' in lines


async def _through_limit(limit: int, headers: list[tuple[bytes, bytes]], chunks: list[bytes]) -> int:
    """The status that a body meets; the application behind reads all of it and says 200."""
    sent: list[Any] = []
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        body = waiting.pop(0) if waiting else b""
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    await BodyLimit(app, limit, 10.0)(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(
    ("headers", "chunks", "status"),
    [
        ([(b"content-length", b"10")], [b"x" * 10], 200),
        ([(b"content-length", b"11")], [b"x" * 11], 413),
        ([(b"transfer-encoding", b"chunked")], [b"x" * 5, b"x" * 5], 200),
        ([(b"transfer-encoding", b"chunked")], [b"x" * 5, b"x" * 5, b"x"], 413),
        ([], [b""], 200),
    ],
)
async def test_the_body_limit_is_exact(
    headers: list[tuple[bytes, bytes]], chunks: list[bytes], status: int
) -> None:
    """Ten bytes pass and eleven don't, declared or not."""
    assert await _through_limit(10, headers, chunks) == status


def test_importing_the_package_costs_nothing() -> None:
    """The port is bound before the framework is imported; so the package must not import it."""
    code = "import sys, capsize_starter.api.server; print(*(m for m in ('fastapi', 'uvicorn', 'asyncpg') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_users_know_nothing_of_the_api_and_the_queue() -> None:
    """The layers of the design: users stand on db and settings alone."""
    users = SOURCE.parent / "users"
    for path in users.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            assert not module.startswith(
                ("capsize_starter.api", "capsize_starter.queue", "capsize_starter.worker")
            )
