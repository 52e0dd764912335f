"""The scripts that only talk HTTP, run as a person runs them."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from starter_api_helpers import Api, Client

SCRIPTS = Path(__file__).parents[3] / "scripts"

COMMANDS = {
    "test-with-curl.sh": "capsize api-check",
    "helpers/auth-helper.sh": "capsize auth",
    "helpers/task-flood.sh": "capsize flood",
}
"""Each script and the command that it stands for."""


async def run(script: str, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a script."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PORT", "BASE_URL")}
    process = await asyncio.create_subprocess_exec(
        str(SCRIPTS / script),
        *arguments,
        env=inherited | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


@pytest.fixture
def nobody() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_the_curl_test_passes_on_a_good_server(shared_api: Api) -> None:
    """All checks pass; what needs a worker is skipped and said so; port, PORT and BASE_URL all work."""
    for arguments, env in (
        ([str(shared_api.port)], {}),
        (["127.0.0.1", str(shared_api.port)], {}),
        ([shared_api.base + "/"], {}),
        ([], {"PORT": str(shared_api.port)}),
        ([], {"BASE_URL": shared_api.base, "PORT": "1"}),
    ):
        code, out, error = await run("test-with-curl.sh", *arguments, **env)
        assert (code, error) == (0, ""), out
        assert out.rstrip().endswith("Success rate: 100%")
        assert "FAIL" not in out
        assert int(re.search(r"Passed: (\d+)", out)[1]) > 55  # type: ignore[index]
        assert "no worker is connected" in out


async def test_the_curl_test_fails_on_a_bad_server(start: Callable[..., Api], bare_url: str) -> None:
    """A server without tables answers, and most checks fail: exit code 1 and a rate below 100%."""
    api = start(bare_url, STARTER_DB_TIMEOUT_S="20", STARTER_HEALTH_TIMEOUT_S="20")
    code, out, _ = await run("test-with-curl.sh", str(api.port))
    assert code == 1
    assert "FAIL  GET /health/ready: expected 200, got 503" in out
    rate = int(re.search(r"Success rate: (\d+)%", out)[1])  # type: ignore[index]
    assert 0 < rate < 60


async def test_without_a_server_the_scripts_say_so(nobody: int) -> None:
    """One clear line that names the address, exit code 1."""
    for script, arguments in (
        ("test-with-curl.sh", [str(nobody)]),
        ("helpers/auth-helper.sh", ["--url", f"http://127.0.0.1:{nobody}"]),
        ("helpers/task-flood.sh", ["--auth", "x", "--url", f"http://127.0.0.1:{nobody}"]),
    ):
        code, out, error = await run(script, *arguments)
        assert (code, out) == (1, "")
        assert f"127.0.0.1:{nobody}" in error


@pytest.mark.parametrize("script", COMMANDS)
async def test_a_wrong_call_is_a_usage_error(script: str) -> None:
    """Exit code 64, the reason and where help is on stderr, nothing on stdout."""
    code, out, error = await run(script, "--colour")
    assert (code, out) == (64, "")
    assert "--colour" in error
    assert f"Try: {COMMANDS[script]} --help" in error


async def test_the_helper_makes_a_user_whose_token_works(shared_api: Api, anyone: Client) -> None:
    """One line of JSON, a fresh user each time."""
    made = []
    for _ in range(2):
        code, out, error = await run(
            "helpers/auth-helper.sh", "--prefix", "chaos_test", PORT=str(shared_api.port)
        )
        assert (code, error) == (0, "")
        assert out.count("\n") == 1
        made.append(json.loads(out))
        anyone.token = made[-1]["token"]
        me = await anyone("GET", "/auth/me")
        assert me.body["id"] == made[-1]["user_id"]
        assert me.body["email"].startswith("chaos_test-")
    assert made[0]["user_id"] != made[1]["user_id"]


@pytest.mark.parametrize(
    "kind",
    ["delay", "webhook", "email", "data_processing", "report_generation", "file_cleanup", "nonexistent_type"],
)
async def test_a_flood_of_each_type_is_accepted(shared_api: Api, user: Client, kind: str) -> None:
    """As many tasks as were asked for are there, and the report says so."""
    code, out, error = await run(
        "helpers/task-flood.sh", "--count", "30", "--delay", "00.5", "--type", kind, "--auth", str(user.token),
        BASE_URL=shared_api.base,
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "Accepted: 30 of 30" in out
    assert "Refused: 0" in out
    assert re.search(r"Rate: \d+ tasks/s", out)
    items = (await user("GET", f"/tasks?type={kind}&limit=500")).body["items"]
    assert len(items) == 30
    if kind == "delay":
        assert {item["payload"]["seconds"] for item in items} == {0.5}


async def test_a_refused_flood_is_reported(shared_api: Api) -> None:
    """How many and with what, and exit code 1."""
    code, out, _ = await run(
        "helpers/task-flood.sh", "--count", "5", "--auth", "nonsense", PORT=str(shared_api.port)
    )
    assert code == 1
    assert "Accepted: 0 of 5" in out
    assert "5 with 401" in out
