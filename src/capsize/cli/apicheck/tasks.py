"""Tasks: made, found, changed, and hidden from others."""

from __future__ import annotations

from capsize.cli.apicheck.judging import PROBLEM, TASK, Checks

NOBODY = "00000000-0000-7000-8000-000000000000"
SOON = {"type": "delay", "payload": {"seconds": 0.01}}
# Scheduled far off, so that no worker takes it while it is looked at.
LATER = {"type": "delay", "payload": {"seconds": 0}, "run_at": "2099-01-01T00:00:00Z", "priority": 3}
STATS = "created pending running completed failed cancelled dead_letter"


async def tasks(checks: Checks) -> None:
    """Check everything that can be done with a task that no worker has."""
    checks.part("Tasks")
    task = (await checks.check("POST /tasks", 201, TASK, "POST", "/tasks", LATER)).member("id")
    checks.header("a new task has a place", "location", f"/tasks/{task}")
    await checks.check("GET /tasks/{id}", 200, TASK, "GET", f"/tasks/{task}")
    other = await _keys(checks)
    await _bad_orders(checks)
    await _pages(checks, task)
    await checks.check("an unknown task", 404, PROBLEM, "GET", f"/tasks/{NOBODY}")
    await _states(checks, task)
    await _stranger(checks, task)
    await checks.check("DELETE /tasks/{id}", 204, "", "DELETE", f"/tasks/{task}")
    await checks.check("a deleted task", 404, PROBLEM, "GET", f"/tasks/{task}")
    await checks.send("POST", f"/tasks/{other}/cancel")
    for path in ("/tasks/types", "/tasks/circuit-breakers"):
        await checks.check(f"GET {path}", 200, "items", "GET", path)
    with checks.speaking_with(""):
        await checks.check("GET /tasks/stats without a token", 200, STATS, "GET", "/tasks/stats")


async def _keys(checks: Checks) -> str:
    """Check that a submission can be repeated safely; returns the task that was made."""
    key = (("idempotency-key", checks.mark),)
    first = await checks.check("the first use of a key", 201, TASK, "POST", "/tasks", LATER, key)
    again = await checks.check("the same request again", 200, TASK, "POST", "/tasks", LATER, key)
    checks.header("the repeat says so", "idempotent-replayed", "true")
    made = first.member("id")
    checks.judge("the repeat gives the same task", again.member("id") == made, again.text[:200])
    await checks.check("the key for another request", 422, PROBLEM, "POST", "/tasks", SOON, key)
    return made


async def _bad_orders(checks: Checks) -> None:
    bad = f"{PROBLEM} errors"
    negative = {"type": "delay", "payload": {"seconds": -1}}
    await checks.check("a bad payload", 422, bad, "POST", "/tasks", negative)
    await checks.check("no type", 422, bad, "POST", "/tasks", {"payload": {}})
    await checks.check("a broken task", 400, PROBLEM, "POST", "/tasks", b'{"type"')


async def _pages(checks: Checks, task: str) -> None:
    page = "items next_cursor"
    first = await checks.check("GET /tasks", 200, page, "GET", "/tasks?limit=1")
    cursor = first.member("next_cursor")
    second = await checks.check("the next page", 200, page, "GET", f"/tasks?limit=1&cursor={cursor}")
    found = second.json
    ids = [item.get("id") for item in found.get("items", [])] if isinstance(found, dict) else []
    checks.judge("the next page goes on where the first ended", ids == [task], second.text[:200])
    filters = "/tasks?status=pending&type=delay&created_after=2020-01-01T00:00:00Z"
    await checks.check("filters", 200, "items", "GET", filters)
    await checks.check("a bad filter", 422, f"{PROBLEM} errors", "GET", "/tasks?status=done")
    await checks.check("a bad cursor", 400, PROBLEM, "GET", "/tasks?cursor=nonsense")


async def _states(checks: Checks, task: str) -> None:
    """Check what is allowed in which state; afterwards the task is cancelled."""
    for name, status, members, method, path in (
        ("deleting a pending task", 409, PROBLEM, "DELETE", f"/tasks/{task}"),
        ("retrying a pending task", 409, PROBLEM, "POST", f"/tasks/{task}/retry"),
        ("POST /tasks/{id}/cancel", 200, TASK, "POST", f"/tasks/{task}/cancel"),
        ("cancelling twice", 409, PROBLEM, "POST", f"/tasks/{task}/cancel"),
        ("POST /tasks/{id}/retry", 200, TASK, "POST", f"/tasks/{task}/retry"),
    ):
        await checks.check(name, status, members, method, path)
    await checks.send("POST", f"/tasks/{task}/cancel")


async def _stranger(checks: Checks, task: str) -> None:
    """Check that another user sees nothing of it."""
    stranger = {"email": f"other-{checks.mark}@test.example", "password": f"other-{checks.mark}-Pa55"}
    with checks.speaking_with(""):
        await checks.send("POST", "/auth/register", stranger)
        token = (await checks.send("POST", "/auth/login", stranger)).member("token")
    with checks.speaking_with(token):
        await checks.check("another user's task", 404, PROBLEM, "GET", f"/tasks/{task}")
        await checks.check("deleting another user's task", 404, PROBLEM, "DELETE", f"/tasks/{task}")
