"""Registration, login, refresh, logout through a real server."""

import asyncio
import statistics
from collections.abc import Callable
from uuid import uuid4

import pytest
from starter_api_helpers import PASSWORD, Api, Client

from capsize_starter.db import Database


def address() -> str:
    return f"{uuid4().hex}@test.example"


async def test_a_user_can_register_log_in_and_be_told_who_they_are(anyone: Client) -> None:
    """The whole way in, with the shapes of the contract."""
    email = address()
    made = await anyone(
        "POST", "/auth/register", {"email": email.upper(), "password": PASSWORD, "name": "Ada"}
    )
    assert made.status == 201
    assert set(made.body) == {"id", "email", "name", "created_at"}
    assert (made.body["email"], made.body["name"]) == (email, "Ada")

    session = await anyone("POST", "/auth/login", {"email": email, "password": PASSWORD})
    assert session.status == 200
    assert set(session.body) == {"token", "refresh_token", "expires_at", "user"}
    assert session.headers["cache-control"] == "no-store"

    anyone.token = session.body["token"]
    me = await anyone("GET", "/auth/me")
    assert (me.status, me.body) == (200, made.body)


async def test_a_taken_address_is_refused_whatever_its_case(anyone: Client) -> None:
    """Two users can't share an address."""
    email = address()
    await anyone("POST", "/auth/register", {"email": email, "password": PASSWORD})
    again = await anyone("POST", "/auth/register", {"email": email.title(), "password": "another one"})
    again.problem(409, "email-taken")


async def test_one_of_many_registrations_at_once_wins(anyone: Client) -> None:
    """A race for an address has one winner and no 500."""
    body = {"email": address(), "password": PASSWORD}
    answers = await asyncio.gather(*(anyone("POST", "/auth/register", body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.c"},
        {"email": "not an address", "password": PASSWORD},
        {"email": "a@b.c", "password": "short"},
        {"email": "a@b.c", "password": "x" * 1025},
        {"email": "a@b.c", "password": "nul\x00nulnul"},
        {"email": "a@b.c", "password": PASSWORD, "name": "n\x00"},
        {"email": "a@b.c", "password": PASSWORD, "admin": True},
        {"email": "a\x00@b.c", "password": PASSWORD},
        [],
        "text",
        None,
    ],
)
async def test_a_bad_registration_says_what_is_wrong(anyone: Client, body: object) -> None:
    """Each faulty body is refused with the fields at fault."""
    problem = (await anyone("POST", "/auth/register", body)).problem(422, "invalid")
    assert problem["errors"]
    assert all(error["field"].startswith("body") for error in problem["errors"])


async def test_wrong_password_and_unknown_user_get_the_same_answer(anyone: Client) -> None:
    """The answer does not tell whether an address is registered."""
    email = address()
    await anyone("POST", "/auth/register", {"email": email, "password": PASSWORD})
    wrong = await anyone("POST", "/auth/login", {"email": email, "password": "wrong horse"})
    unknown = await anyone("POST", "/auth/login", {"email": address(), "password": "wrong horse"})
    assert wrong.problem(401, "bad-credentials") == unknown.problem(401, "bad-credentials")
    assert wrong.headers["www-authenticate"] == unknown.headers["www-authenticate"]


async def test_an_unknown_user_takes_as_long_as_a_wrong_password(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """The time does not tell either: a decoy is hashed. Without it the ratio would be above 5."""
    api = start(
        database_url,
        STARTER_ARGON2_TIME_COST="3",
        STARTER_ARGON2_MEMORY_KIB="16384",
        STARTER_ARGON2_PARALLELISM="1",
        STARTER_LOGIN_ACCOUNT_MAX="1000",
        STARTER_LOGIN_ADDRESS_MAX="100000",
        STARTER_DB_TIMEOUT_S="20",
    )
    anyone = connect(api)
    email = address()
    await anyone("POST", "/auth/register", {"email": email, "password": PASSWORD})
    known_s, unknown_s = [], []
    for _ in range(15):  # in turn, so that whatever else the machine does slows both alike
        known = await anyone("POST", "/auth/login", {"email": email, "password": "wrong horse"})
        unknown = await anyone("POST", "/auth/login", {"email": address(), "password": "wrong horse"})
        known_s.append(known.elapsed_s)
        unknown_s.append(unknown.elapsed_s)
    ratio = statistics.median(known_s) / statistics.median(unknown_s)
    assert 1 / 3 < ratio < 3, (known_s, unknown_s)


async def test_passwords_and_tokens_are_not_stored(user: Client, database: Database) -> None:
    """Who reads the tables finds only hashes."""
    encoded = await database.fetchval("SELECT password_hash FROM users WHERE email = $1", user.user["email"])
    assert encoded.startswith("$argon2id$")
    rows = await database.fetch("SELECT token_hash FROM session_tokens")
    stored = {bytes(row["token_hash"]) for row in rows}
    for token in (user.login["token"], user.login["refresh_token"]):
        assert token.encode() not in stored
        assert all(len(one) == 32 for one in stored)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "Bearer \xff\xfe", "bearer x y"],
)
async def test_without_a_good_token_nothing_is_given_out(anyone: Client, header: str | None) -> None:
    """401 with a challenge, whatever stands in the header."""
    headers = {} if header is None else {"authorization": header}
    for method, path in (("GET", "/auth/me"), ("GET", "/tasks"), ("POST", "/auth/logout")):
        answer = await anyone(method, path, **headers)
        answer.problem(401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_logout_ends_the_session_at_once(user: Client) -> None:
    """Access and refresh token are dead with the answer, also though the token was cached just now."""
    assert (await user("GET", "/auth/me")).status == 200
    assert (await user("POST", "/auth/logout")).status == 204
    (await user("GET", "/auth/me")).problem(401, "unauthenticated")
    (await user("POST", "/auth/logout")).problem(401, "unauthenticated")
    refreshed = await user("POST", "/auth/refresh", {"refresh_token": user.login["refresh_token"]})
    refreshed.problem(401, "bad-refresh-token")


async def test_logout_leaves_other_sessions_alone(user: Client) -> None:
    """Each login is a session of its own."""
    again = user.other()
    login = await again("POST", "/auth/login", {"email": user.user["email"], "password": PASSWORD})
    again.token = login.body["token"]
    assert (await user("POST", "/auth/logout")).status == 204
    assert (await again("GET", "/auth/me")).status == 200


async def test_refresh_gives_new_tokens(user: Client) -> None:
    """The new tokens work and are not the old ones; a chain of refreshes holds."""
    login = user.login
    for _ in range(3):
        answer = await user("POST", "/auth/refresh", {"refresh_token": login["refresh_token"]})
        assert answer.status == 200
        assert answer.body["user"] == user.user
        assert answer.body["token"] != login["token"]
        assert answer.body["refresh_token"] != login["refresh_token"]
        login = answer.body
        user.token = login["token"]
        assert (await user("GET", "/auth/me")).status == 200


async def test_a_refresh_token_used_twice_ends_the_session(user: Client) -> None:
    """Reuse means theft: neither the thief nor the victim keeps a session."""
    stolen = {"refresh_token": user.login["refresh_token"]}
    good = await user("POST", "/auth/refresh", stolen)
    user.token = good.body["token"]
    assert (await user("GET", "/auth/me")).status == 200
    (await user("POST", "/auth/refresh", stolen)).problem(401, "bad-refresh-token")
    (await user("GET", "/auth/me")).problem(401, "unauthenticated")
    after = await user("POST", "/auth/refresh", {"refresh_token": good.body["refresh_token"]})
    after.problem(401, "bad-refresh-token")


async def test_of_many_refreshes_at_once_at_most_one_succeeds(user: Client) -> None:
    """A refresh token can't be spent twice by being quick."""
    body = {"refresh_token": user.login["refresh_token"]}
    answers = await asyncio.gather(*(user("POST", "/auth/refresh", body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 7


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 200, "\ufffd"])
async def test_an_unknown_refresh_token_is_refused(anyone: Client, token: str) -> None:
    """And says nothing more."""
    (await anyone("POST", "/auth/refresh", {"refresh_token": token})).problem(401, "bad-refresh-token")


async def test_an_access_token_is_no_refresh_token_and_the_reverse(user: Client) -> None:
    """Each kind opens its own door only."""
    as_refresh = await user("POST", "/auth/refresh", {"refresh_token": user.login["token"]})
    as_refresh.problem(401, "bad-refresh-token")
    user.token = user.login["refresh_token"]
    (await user("GET", "/auth/me")).problem(401, "unauthenticated")


async def test_tokens_expire(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client], database: Database
) -> None:
    """A token past its time is refused, although this process has just seen it good."""
    user = await connect(
        start(database_url, STARTER_DB_TIMEOUT_S="20", STARTER_TOKEN_CACHE_S="0")
    ).signed_in()
    assert (await user("GET", "/auth/me")).status == 200
    await database.execute(
        "UPDATE session_tokens SET expires_at = now() FROM user_sessions s "
        "WHERE s.id = session_id AND s.user_id = $1::text::uuid",
        user.user["id"],
    )
    (await user("GET", "/auth/me")).problem(401, "unauthenticated")
    refreshed = await user("POST", "/auth/refresh", {"refresh_token": user.login["refresh_token"]})
    refreshed.problem(401, "bad-refresh-token")


async def test_a_cached_token_expires_too(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """The cache never outlives the token."""
    api = start(
        database_url, STARTER_DB_TIMEOUT_S="20", STARTER_TOKEN_TTL_S="0.5", STARTER_TOKEN_CACHE_S="3600"
    )
    user = await connect(api).signed_in()
    await user("GET", "/auth/me")
    await asyncio.sleep(0.6)
    (await user("GET", "/auth/me")).problem(401, "unauthenticated")


async def test_an_account_is_locked_after_too_many_failures(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Then the right password does not help either until the window is over, and others are not concerned."""
    env = {
        "STARTER_LOGIN_ACCOUNT_MAX": "3",
        "STARTER_LOGIN_ADDRESS_MAX": "100000",
        "STARTER_LOGIN_WINDOW_S": "600",
        "STARTER_DB_TIMEOUT_S": "20",
    }
    user = await connect(start(database_url, **env)).signed_in()
    wrong = {"email": user.user["email"], "password": "wrong horse"}
    right = wrong | {"password": PASSWORD}
    for _ in range(3):
        (await user("POST", "/auth/login", wrong)).problem(401, "bad-credentials")
    refused = await user("POST", "/auth/login", right)
    refused.problem(429, "too-many-attempts")
    assert 0 < int(refused.headers["retry-after"]) <= 600
    # Another process of the same service holds the same limit.
    elsewhere = connect(start(database_url, **env))
    (await elsewhere("POST", "/auth/login", right)).problem(429, "too-many-attempts")
    await elsewhere.signed_in()


async def test_a_good_login_clears_the_account(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Only failures in a row lock an account."""
    user = await connect(
        start(
            database_url,
            STARTER_LOGIN_ACCOUNT_MAX="3",
            STARTER_LOGIN_ADDRESS_MAX="100000",
            STARTER_DB_TIMEOUT_S="20",
        )
    ).signed_in()
    wrong = {"email": user.user["email"], "password": "wrong horse"}
    for _ in range(3):
        for _ in range(2):
            (await user("POST", "/auth/login", wrong)).problem(401, "bad-credentials")
        assert (await user("POST", "/auth/login", wrong | {"password": PASSWORD})).status == 200


async def test_the_window_of_the_limit_ends(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client], database: Database
) -> None:
    """A locked account opens again by itself."""
    user = await connect(
        start(
            database_url,
            STARTER_LOGIN_ACCOUNT_MAX="1",
            STARTER_LOGIN_ADDRESS_MAX="100000",
            STARTER_DB_TIMEOUT_S="20",
        )
    ).signed_in()
    wrong = {"email": user.user["email"], "password": "wrong horse"}
    (await user("POST", "/auth/login", wrong)).problem(401, "bad-credentials")
    (await user("POST", "/auth/login", wrong)).problem(429, "too-many-attempts")
    await database.execute(
        "UPDATE login_attempts SET window_ends = now() WHERE key = $1", f"account:{wrong['email']}"
    )
    assert (await user("POST", "/auth/login", wrong | {"password": PASSWORD})).status == 200


async def test_guesses_sent_at_once_do_not_slip_through(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """The attempt is counted before the password is looked at."""
    user = await connect(
        start(
            database_url,
            STARTER_LOGIN_ACCOUNT_MAX="3",
            STARTER_LOGIN_ADDRESS_MAX="100000",
            STARTER_DB_TIMEOUT_S="20",
        )
    ).signed_in()
    wrong = {"email": user.user["email"], "password": "wrong horse"}
    answers = await asyncio.gather(*(user("POST", "/auth/login", wrong) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [401] * 3 + [429] * 17


async def test_an_address_is_limited_over_all_accounts(
    start: Callable[..., Api], connect: Callable[[Api], Client], fresh_url: str
) -> None:
    """Trying one password on many accounts is stopped too; good logins do not count."""
    anyone = connect(start(fresh_url, STARTER_LOGIN_ADDRESS_MAX="4", STARTER_DB_TIMEOUT_S="20"))
    for _ in range(5):
        await anyone.signed_in()
    for _ in range(4):
        wrong = {"email": address(), "password": "wrong horse"}
        (await anyone("POST", "/auth/login", wrong)).problem(401, "bad-credentials")
    refused = await anyone("POST", "/auth/login", {"email": address(), "password": "wrong horse"})
    refused.problem(429, "too-many-attempts")


async def test_a_password_hashed_with_old_parameters_is_hashed_anew_at_login(
    start: Callable[..., Api],
    database_url: str,
    connect: Callable[[Api], Client],
    database: Database,
    user: Client,
) -> None:
    """Stronger settings reach old users, and the password still fits afterwards."""
    stronger = connect(start(database_url, STARTER_ARGON2_TIME_COST="2", STARTER_DB_TIMEOUT_S="20"))
    body = {"email": user.user["email"], "password": PASSWORD}
    assert (await stronger("POST", "/auth/login", body)).status == 200
    encoded = ""
    for _ in range(500):
        encoded = await database.fetchval("SELECT password_hash FROM users WHERE email = $1", body["email"])
        if ",t=2," in encoded:
            break
        await asyncio.sleep(0.02)
    assert ",t=2," in encoded
    assert (await stronger("POST", "/auth/login", body)).status == 200
