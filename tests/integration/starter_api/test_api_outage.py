"""The API while PostgreSQL is away: stopped, frozen, never there. And that it heals by itself."""

import asyncio
import signal
from collections.abc import Callable

import pytest
from starter_api_helpers import PASSWORD, Answer, Api, Client, Postgres, until

AWAY_LIMIT_S = 2.0
NOISE_S = 2.0
"""What a busy machine may add; the limit itself is the service's promise of two seconds."""

CALLS = [
    ("POST", "/auth/register", {"email": "new@test.example", "password": PASSWORD}),
    ("POST", "/auth/login", {"email": "new@test.example", "password": PASSWORD}),
    ("POST", "/auth/refresh", {"refresh_token": "x"}),
    ("GET", "/auth/me", None),
    ("POST", "/tasks", {"type": "delay", "payload": {"seconds": 0}}),
    ("GET", "/tasks", None),
    ("GET", "/tasks/0198c0de-0000-7000-8000-000000000000", None),
    ("POST", "/tasks/0198c0de-0000-7000-8000-000000000000/cancel", None),
    ("DELETE", "/tasks/0198c0de-0000-7000-8000-000000000000", None),
    ("GET", "/tasks/stats", None),
    ("GET", "/tasks/types", None),
    ("GET", "/tasks/dead-letter", None),
    ("DELETE", "/tasks/dead-letter", None),
    ("GET", "/tasks/circuit-breakers", None),
    ("POST", "/auth/logout", None),
]


async def check_outage(user: Client) -> None:
    """Every call that needs the database answers 503 in time, health tells the truth, live stays good."""

    async def call(method: str, path: str, body: object) -> Answer:
        return await user(method, path, body)

    answers = await asyncio.gather(*(call(*one) for one in CALLS))
    for (method, path, _), answer in zip(CALLS, answers, strict=True):
        problem = answer.problem(503, "database-away")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.elapsed_s < AWAY_LIMIT_S + NOISE_S, (method, path)
        assert "127.0.0.1" not in str(problem)
    assert min(answer.elapsed_s for answer in answers) < AWAY_LIMIT_S
    for path in ("/health", "/health/ready", "/health/detailed"):
        answer = await user("GET", path)
        assert (answer.status, answer.body["status"]) == (503, "unavailable")
        assert answer.elapsed_s < AWAY_LIMIT_S + NOISE_S
    detailed = (await user("GET", "/health/detailed")).body
    assert detailed["database"]["reachable"] is False
    assert (detailed["queue"], detailed["workers"]) == (None, None)
    live = await user("GET", "/health/live")
    assert live.status == 200
    metrics = await user("GET", "/metrics")
    assert metrics.status == 200
    assert b"starter_database_up 0" in metrics.body


async def check_healed(user: Client) -> None:
    """Soon after the return requests succeed, and from then on all of them."""

    async def works() -> bool:
        return (await user("GET", "/health/ready")).status == 200

    await until(works, why="the API is ready again")
    for _ in range(20):  # more than the pool holds: no dead connection is left in it
        assert (await user("POST", "/tasks", {"type": "x"})).status == 201
    answers = await asyncio.gather(*(user("GET", "/auth/me") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_an_outage_is_told_and_survived(
    own_postgres: Postgres, start: Callable[..., Api], connect: Callable[[Api], Client], how: str
) -> None:
    """Twice in a row, with warm connections: 503 in time, then everything works again without a restart."""
    # No cache, so that every call with a token needs the database.
    api = start(own_postgres.url, STARTER_TOKEN_CACHE_S="0")
    user = await connect(api).signed_in()
    await asyncio.gather(*(user("GET", "/auth/me") for _ in range(10)))
    for _ in range(2):
        if how == "stopped":
            await asyncio.to_thread(own_postgres.kill)
        else:
            own_postgres.signal(signal.SIGSTOP)
        await check_outage(user)
        if how == "stopped":
            await asyncio.to_thread(own_postgres.start)
        else:
            own_postgres.signal(signal.SIGCONT)
        await check_healed(user)
    assert api.process.poll() is None


async def test_a_cached_token_does_not_hide_the_outage(
    own_postgres: Postgres, start: Callable[..., Api], connect: Callable[[Api], Client]
) -> None:
    """The caller is known from memory; the answer is still 503 and not made up."""
    user = await connect(start(own_postgres.url, STARTER_TOKEN_CACHE_S="600")).signed_in()
    await user("GET", "/auth/me")
    own_postgres.signal(signal.SIGSTOP)
    (await user("GET", "/auth/me")).problem(503, "database-away")
    (await user("POST", "/tasks", {"type": "x"})).problem(503, "database-away")
    own_postgres.signal(signal.SIGCONT)
    await check_healed(user)


async def test_a_submission_cut_short_by_a_freeze_can_be_repeated(
    own_postgres: Postgres, start: Callable[..., Api], connect: Callable[[Api], Client]
) -> None:
    """503 means don't know; with the key the repeat makes exactly one task either way."""
    user = await connect(start(own_postgres.url)).signed_in()
    await user.task()
    own_postgres.signal(signal.SIGSTOP)
    bodies = [{"type": "x", "payload": {"n": n}} for n in range(5)]
    answers = await asyncio.gather(
        *(user("POST", "/tasks", body, idempotency_key=f"k{n}") for n, body in enumerate(bodies))
    )
    assert {answer.status for answer in answers} == {503}
    own_postgres.signal(signal.SIGCONT)
    await check_healed(user)
    for n, body in enumerate(bodies):
        assert (await user("POST", "/tasks", body, idempotency_key=f"k{n}")).status in (200, 201)
    page = (await user("GET", "/tasks?type=x&limit=500")).body
    made = [item["payload"]["n"] for item in page["items"] if "n" in item["payload"]]
    assert sorted(made) == list(range(5))


async def test_it_starts_while_the_database_is_away(
    own_postgres: Postgres, start: Callable[..., Api], connect: Callable[[Api], Client]
) -> None:
    """It answers, says what is missing, and is ready once the database is there."""
    await asyncio.to_thread(own_postgres.kill)
    anyone = connect(start(own_postgres.url))
    assert (await anyone("GET", "/health/live")).status == 200
    assert (await anyone("GET", "/health/ready")).status == 503
    (await anyone("GET", "/tasks/stats")).problem(503, "database-away")
    await asyncio.to_thread(own_postgres.start)

    async def ready() -> bool:
        return (await anyone("GET", "/health/ready")).status == 200

    await until(ready, why="the API found the database")
    await check_healed(await anyone.signed_in())
