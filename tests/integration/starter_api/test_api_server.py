"""The server process: its start, its end, its port."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from starter_api_helpers import LIGHT, LIMIT_S, Api, Client, until

SLOW_LOGIN = {"STARTER_ARGON2_TIME_COST": "60", "STARTER_ARGON2_MEMORY_KIB": "16384"}
"""Makes a registration take a good part of a second: a request to be interrupted."""


async def wait_end(api: Api) -> int:
    """The exit code."""
    return await asyncio.to_thread(api.process.wait, LIMIT_S)


async def test_sigterm_is_a_clean_end(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Exit code 0, also with an idle keep-alive connection open, which is closed."""
    api = start(database_url, STARTER_DB_TIMEOUT_S="20")
    assert (await connect(api)("GET", "/health")).status == 200
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    api.process.send_signal(signal.SIGTERM)
    assert await wait_end(api) == 0
    assert time.monotonic() - began < 8  # the grace period of 10 s is not waited for
    await asyncio.wait_for(reader.read(), LIMIT_S)
    assert reader.at_eof()
    writer.close()


async def test_sigint_is_a_clean_end_too(start: Callable[..., Api], database_url: str) -> None:
    """As from a terminal."""
    api = start(database_url)

    def listening_event() -> object:
        async def look() -> bool:
            return "server.listening" in api.log.read_text()

        return look()

    await until(listening_event, why="the server is up")  # type: ignore[arg-type]
    api.process.send_signal(signal.SIGINT)
    assert await wait_end(api) == 0


async def test_a_signal_in_the_middle_of_the_start_is_a_clean_end(database_url: str, tmp_path: Path) -> None:
    """Whenever SIGTERM comes after the port is bound, the exit code is 0 and there is no traceback."""
    for pause_s in (0.0, 0.1, 0.2, 0.4):
        api = Api(database_url, tmp_path)
        try:
            deadline = time.monotonic() + LIMIT_S
            while not api.listening():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.001)
            await asyncio.sleep(pause_s)
            api.process.send_signal(signal.SIGTERM)
            assert await wait_end(api) == 0
            assert "Traceback" not in api.log.read_text()
        finally:
            api.end()


async def test_a_request_under_way_is_finished(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """SIGTERM in the middle of a request: it gets its answer, and new connections are refused."""
    slower = SLOW_LOGIN | {"STARTER_ARGON2_TIME_COST": "300"}
    api = start(database_url, STARTER_DB_TIMEOUT_S="20", STARTER_SERVER_GRACE_S="60", **slower)
    anyone = connect(api)
    body = {"email": f"slow{api.port}@test.example", "password": "correct horse"}
    slow = asyncio.create_task(anyone("POST", "/auth/register", body))

    async def in_flight() -> bool:
        return b"http_requests_in_flight 2" in (await anyone("GET", "/metrics")).body

    await until(in_flight, why="the registration is being worked on")
    api.process.send_signal(signal.SIGTERM)
    answer = await slow
    assert answer.status == 201
    assert await wait_end(api) == 0
    assert not _connects(api.port)


async def test_a_request_that_takes_too_long_is_cut_off(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """The grace period is a limit: a client that never finishes its request can't hold the process."""
    api = start(database_url, STARTER_SERVER_GRACE_S="0.5", STARTER_BODY_TIMEOUT_S="600")
    assert (await connect(api)("GET", "/health/live")).status == 200
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")

    async def in_flight() -> bool:
        return b"http_requests_in_flight 2" in (await connect(api)("GET", "/metrics")).body

    await until(in_flight, why="the request is being read")
    api.process.send_signal(signal.SIGTERM)
    assert await wait_end(api) == 0
    writer.close()


async def test_after_sigkill_the_port_can_be_had_at_once(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Connections of the dead process don't block the next one, and its tokens go on."""
    first = start(database_url, STARTER_DB_TIMEOUT_S="20")
    user = await connect(first).signed_in()
    first.end()
    second = start(database_url, PORT=str(first.port), STARTER_DB_TIMEOUT_S="20")
    answer = await user("GET", "/auth/me")
    assert (answer.status, answer.body) == (200, user.user)
    assert second.process.poll() is None


async def test_a_taken_port_is_said_so(database_url: str, tmp_path: Path) -> None:
    """One line with the address and what to do, exit code 1, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        api = Api(database_url, tmp_path, PORT=str(port))
        assert await wait_end(api) == 1
    text = api.log.read_text()
    assert f"127.0.0.1:{port}" in text
    assert "Traceback" not in text


async def test_a_bad_setting_is_a_usage_error(database_url: str, tmp_path: Path) -> None:
    """64 and the variable's name."""
    for name, value in (("PORT", "x"), ("STARTER_BODY_MAX", "0"), ("STARTER_TOKEN_TTL_S", "-1")):
        api = Api(database_url, tmp_path, **{name: value})
        assert await wait_end(api) == 64
        assert name in api.log.read_text()
        assert "Traceback" not in api.log.read_text()


async def test_a_flood_of_logins_is_refused_and_does_not_stop_the_rest(
    start: Callable[..., Api], database_url: str, connect: Callable[[Api], Client]
) -> None:
    """Beyond the queue of hashes 503 is answered at once, and other requests go on meanwhile."""
    env = {**LIGHT, **SLOW_LOGIN, "STARTER_ARGON2_THREADS": "1", "STARTER_ARGON2_QUEUE": "2"}
    anyone = connect(
        start(database_url, STARTER_DB_TIMEOUT_S="20", STARTER_LOGIN_ADDRESS_MAX="100000", **env)
    )
    bodies = [{"email": f"f{n}@test.example", "password": "wrong horse"} for n in range(10)]
    flood = asyncio.gather(*(anyone("POST", "/auth/login", body) for body in bodies))
    during = 0
    while not flood.done():
        assert (await anyone("GET", "/tasks/stats")).status == 200
        during += 1
    answers = await flood
    assert during >= 2
    by_status = sorted(answer.status for answer in answers)
    assert by_status == [401] * 3 + [503] * 7
    for answer in answers:
        if answer.status == 503:
            answer.problem(503, "overloaded")


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
