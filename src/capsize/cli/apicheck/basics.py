"""Health, errors, and users with their sessions."""

from __future__ import annotations

from capsize.cli.apicheck.judging import PROBLEM, Checks

USER = "id email name created_at"


async def health(checks: Checks) -> None:
    """Check what needs no user: health, metrics, the documents."""
    checks.part("Health")
    for path in ("/health", "/health/live", "/health/ready"):
        await checks.check(f"GET {path}", 200, "status", "GET", path)
    detailed = "status database queue workers circuit_breakers"
    answer = await checks.check("GET /health/detailed", 200, detailed, "GET", "/health/detailed")
    found = answer.json
    checks.workers = bool(isinstance(found, dict) and found.get("workers"))
    answer = await checks.check("GET /metrics", 200, "", "GET", "/metrics")
    counted = "# TYPE http_requests_total counter" in answer.text
    checks.judge("metrics are Prometheus text", counted, "no request counter")
    answer = await checks.check("GET /openapi.json", 200, "openapi paths", "GET", "/openapi.json")
    paths = answer.json.get("paths", {}) if isinstance(answer.json, dict) else {}
    checks.operations = {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    await checks.check("GET /docs", 200, "", "GET", "/docs")


async def errors(checks: Checks) -> None:
    """Check what is wrong whatever the endpoint."""
    checks.part("Errors")
    await checks.check("an unknown path", 404, PROBLEM, "GET", "/nothing-here")
    await checks.check("a wrong method", 405, PROBLEM, "PUT", "/tasks")
    checks.header("a wrong method names the right ones", "allow")
    await checks.check("no token", 401, PROBLEM, "GET", "/tasks")
    checks.header("no token is challenged", "www-authenticate", "bearer")
    with checks.speaking_with("nonsense"):
        await checks.check("a bad token", 401, PROBLEM, "GET", "/auth/me")


async def users(checks: Checks) -> None:
    """Check registration, login and refresh; afterwards a user is logged in."""
    checks.part("Auth")
    email, secret = f"curl-{checks.mark}@test.example", f"curl-{checks.mark}-Pa55"
    user = {"email": email, "password": secret, "name": "Curl"}
    bad = f"{PROBLEM} errors"
    await checks.check("POST /auth/register", 201, USER, "POST", "/auth/register", user)
    await checks.check("registering twice", 409, PROBLEM, "POST", "/auth/register", user)
    for name, body in (
        ("a bad address", {"email": "nobody", "password": "long enough"}),
        ("a short password", {"email": f"x{email}", "password": "x"}),
    ):
        await checks.check(name, 422, bad, "POST", "/auth/register", body)
    await checks.check("a broken body", 400, PROBLEM, "POST", "/auth/login", b'{"email":')
    wrong = {"email": email, "password": "wrong"}
    await checks.check("a wrong password", 401, PROBLEM, "POST", "/auth/login", wrong)
    session = "token refresh_token expires_at user"
    login = await checks.check("POST /auth/login", 200, session, "POST", "/auth/login", user)
    checks.token = login.member("token")
    await checks.check("GET /auth/me", 200, USER, "GET", "/auth/me")
    once = {"refresh_token": login.member("refresh_token")}
    fresh = await checks.check(
        "POST /auth/refresh", 200, "token refresh_token", "POST", "/auth/refresh", once
    )
    checks.token = fresh.member("token")
    await checks.check("a refresh token used twice", 401, PROBLEM, "POST", "/auth/refresh", once)
    await checks.check("reuse has ended the session", 401, PROBLEM, "GET", "/auth/me")
    checks.token = ""
    checks.token = (await checks.send("POST", "/auth/login", user)).member("token")


async def logout(checks: Checks) -> None:
    """Check that the session ends."""
    checks.part("Logout")
    await checks.check("POST /auth/logout", 204, "", "POST", "/auth/logout")
    await checks.check("the token is dead", 401, PROBLEM, "GET", "/auth/me")
    checks.token = ""
