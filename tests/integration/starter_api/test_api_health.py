"""Health and metrics while all is well."""

from collections.abc import Callable
from typing import Any

from starter_api_helpers import Api, Client

from capsize_starter.db import Database
from capsize_starter.settings import DatabaseSettings


async def test_health_is_good(anyone: Client) -> None:
    """All three say so, and no cache may keep it."""
    for path in ("/health", "/health/live", "/health/ready"):
        answer = await anyone("GET", path)
        assert (answer.status, answer.body) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


async def test_a_database_without_tables_is_not_ready(
    start: Callable[..., Api], bare_url: str, connect: Callable[[Api], Client]
) -> None:
    """It answers, so health is good; but nothing can be served, so ready is not."""
    anyone = connect(start(bare_url, STARTER_DB_TIMEOUT_S="20", STARTER_HEALTH_TIMEOUT_S="20"))
    assert (await anyone("GET", "/health")).status == 200
    ready = await anyone("GET", "/health/ready")
    assert (ready.status, ready.body["status"]) == (503, "unavailable")
    assert "migrated" in ready.body["reason"]
    detailed = await anyone("GET", "/health/detailed")
    assert (detailed.status, detailed.body["status"]) == (503, "unavailable")
    assert detailed.body["database"]["reachable"] is True
    (await anyone("GET", "/tasks/stats")).problem(503, "not-ready")
    body = {"email": "a@b.c", "password": "12345678"}
    (await anyone("POST", "/auth/register", body)).problem(503, "not-ready")
    assert (await anyone("GET", "/metrics")).status == 200


async def test_the_details_are_true(
    start: Callable[..., Api], fresh_url: str, connect: Callable[[Api], Client]
) -> None:
    """Queue depth, age, workers and circuits are what is in the database, a moment ago and now."""
    user = await connect(
        start(fresh_url, STARTER_DB_TIMEOUT_S="20", STARTER_HEALTH_TIMEOUT_S="20")
    ).signed_in()
    empty = (await user("GET", "/health/detailed")).body
    assert empty["status"] == "ok"
    assert empty["database"]["reachable"] is True
    assert empty["database"]["latency_s"] > 0
    assert empty["queue"]["tasks"]["pending"] == 0
    assert empty["queue"]["oldest_due_s"] is None
    assert (empty["workers"], empty["circuit_breakers"]) == ([], [])

    held = await user.task()
    await user.task()
    worker = Database(DatabaseSettings(url=fresh_url, db_timeout_s=20), name="worker-7")
    await worker.execute(
        "UPDATE tasks SET status = 'running', worker = 'worker-7', lease_until = now() + interval '9 s' "
        "WHERE id = $1::text::uuid",
        held["id"],
    )
    await worker.execute("UPDATE tasks SET run_at = now() - interval '100 s' WHERE status = 'pending'")
    await worker.execute("INSERT INTO breakers (type, state, failures) VALUES ('x', 'open', 5)")
    full = (await user("GET", "/health/detailed")).body
    assert (full["queue"]["tasks"]["pending"], full["queue"]["tasks"]["running"]) == (1, 1)
    assert full["queue"]["oldest_due_s"] >= 100
    [seen] = full["workers"]
    assert (seen["id"], seen["connections"], seen["running"]) == ("worker-7", 1, 1)
    assert seen["seen_s"] >= 0
    assert seen["lease_left_s"] <= 9
    assert [(one["type"], one["state"]) for one in full["circuit_breakers"]] == [("x", "open")]

    await worker.close()
    [gone] = (await user("GET", "/health/detailed")).body["workers"]
    assert (gone["id"], gone["connections"], gone["seen_s"], gone["running"]) == ("worker-7", 0, None, 1)


def _samples(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_metrics_count_what_happened(
    start: Callable[..., Api], fresh_url: str, connect: Callable[[Api], Client]
) -> None:
    """Requests by route and status, a histogram that adds up, the queue, and few label values."""
    user = await connect(
        start(fresh_url, STARTER_DB_TIMEOUT_S="20", STARTER_HEALTH_TIMEOUT_S="20")
    ).signed_in()
    for _ in range(3):
        task = await user.task()
        await user("GET", f"/tasks/{task['id']}")
    await user("GET", "/tasks/nonsense")
    await user("GET", "/made/up/1")
    await user("GET", "/made/up/2")
    answer = await user("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    samples = _samples(text)

    def requests(method: str, route: str, status: int) -> float:
        return samples[f'http_requests_total{{method="{method}",route="{route}",status="{status}"}}']

    assert requests("POST", "/tasks", 201) == 3
    assert requests("GET", "/tasks/{task_id}", 200) == 3
    assert requests("GET", "/tasks/{task_id}", 404) == 1
    assert requests("GET", "other", 404) == 2
    name = "http_request_duration_seconds"
    assert samples[f'{name}_count{{method="POST",route="/tasks"}}'] == 3
    assert samples[f'{name}_bucket{{method="POST",route="/tasks",le="+Inf"}}'] == 3
    assert samples[f'{name}_sum{{method="POST",route="/tasks"}}'] > 0
    assert samples['starter_tasks{status="pending"}'] == 3
    assert samples["starter_tasks_created"] == 3
    assert samples["starter_oldest_due_seconds"] >= 0
    assert samples["starter_database_up"] == 1
    assert samples["http_requests_in_flight"] == 1
    assert task["id"] not in text


async def test_every_metric_is_introduced(anyone: Client) -> None:
    """Each family has its help and type line before its first sample, as Prometheus demands."""
    text = (await anyone("GET", "/metrics")).body.decode()
    introduced: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in introduced
            introduced[family] = kind
        elif line and not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0]
            family = next(
                (name.removesuffix(end) for end in ("_bucket", "_sum", "_count") if name.endswith(end)), name
            )
            assert family in introduced or name in introduced, line
    assert text.endswith("\n")
