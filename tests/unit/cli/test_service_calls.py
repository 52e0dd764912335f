"""`capsize auth`, `flood` and `api-check`: what is refused before anything is sent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from capsize.cli import far
from capsize.cli.apicheck.documented import each_endpoint, nothing_left_out
from capsize.cli.apicheck.judging import Checks
from capsize.cli.caller import Answer

WRONG = [
    (["api-check", "port"], "neither a port"),
    (["api-check", "0"], "neither a port"),
    (["api-check", "1", "2"], "neither a port"),
    (["api-check", "localhost", "port"], "neither a port"),
    (["api-check", "http://127.0.0.1:3000/below"], "can't be driven"),
    (["auth", "--prefix"], "--prefix"),
    (["auth", "--prefix", 'a"b'], "letters, digits"),
    (["auth", "--url", "nowhere"], "is not an address"),
    (["flood"], "auth-helper.sh"),
    (["flood", "--auth"], "--auth"),
    (["flood", "--auth", 'x" y'], "not a token"),
    (["flood", "--auth", "x", "--count", "0"], "--count"),
    (["flood", "--auth", "x", "--count", "many"], "--count"),
    (["flood", "--auth", "x", "--count", "100001"], "--count"),
    (["flood", "--auth", "x", "--delay", "-1"], "0 to 3600"),
    (["flood", "--auth", "x", "--delay", "3601"], "0 to 3600"),
    (["flood", "--auth", "x", "--type", "a b"], "letters, digits"),
    (["flood", "--auth", "x", "extra"], "extra"),
    (["flood", "--auth", "x", "--url", "http://192.0.2.1"], "--allow-remote-load"),
]


@pytest.mark.parametrize(
    ("argv", "told"), WRONG, ids=lambda part: " ".join(part) if isinstance(part, list) else ""
)
def test_a_wrong_call_is_a_usage_error(capsize: Callable[..., Any], argv: list[str], told: str) -> None:
    """Exit code 64, what is wrong and where help is on stderr, nothing on stdout."""
    ran = capsize(*argv)
    assert (ran.code, ran.out) == (64, "")
    assert told in ran.err
    assert "--help" in ran.err or told == "--allow-remote-load"


@pytest.mark.parametrize("command", [("api-check",), ("auth",), ("flood", "--auth", "x")])
def test_without_a_server_they_say_so(
    capsize: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Exit code 1, the address, and what starts a server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("BASE_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
        ran = capsize(*command)
    assert (ran.code, ran.out) == (1, "")
    assert "no server answers at http://127.0.0.1:" in ran.err
    assert "test-server.sh" in ran.err


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("localhost", True), ("192.0.2.1", False), ("no-such-host.invalid", False)],
)
def test_this_machine_is_known_by_its_addresses(host: str, own: bool) -> None:
    """Only an address that can be bound to is one's own; a name without an address is nobody's."""
    assert far.is_this_machine(host) is own


class _Server:
    """Answers every call the same way."""

    token = "t"

    def __init__(self, status: int) -> None:
        self.status = status

    async def __call__(self, method: str, path: str, body: Any = None, headers: Any = ()) -> Answer:
        return Answer(
            self.status, {"content-type": "application/problem+json"}, '{"type":"","title":"","status":1}'
        )


async def _checked(status: int, operations: dict[tuple[str, str], dict[str, Any]]) -> Checks:
    checks = Checks(_Server(status), lambda line: None)  # type: ignore[arg-type]
    checks.operations = operations
    await each_endpoint(checks)
    return checks


async def test_an_endpoint_without_protection_is_found() -> None:
    """What asks for a token and answers without one fails its check; one that refuses passes."""
    protected = {("GET", "/tasks"): {"security": [{}]}}
    assert (await _checked(200, protected)).failed == 1
    assert (await _checked(401, protected)).failed == 0


async def test_an_endpoint_that_nobody_calls_is_found() -> None:
    """A documented endpoint has to be called as it is meant: its own path, and not with a task that is none."""
    checks = await _checked(404, {("GET", "/tasks/{task_id}"): {}, ("GET", "/tasks/stats"): {}})
    await checks.send("GET", "/tasks/stats")
    nothing_left_out(checks)
    assert checks.failed == 1
    await checks.send("GET", "/tasks/0190")
    nothing_left_out(checks)
    assert checks.failed == 1


async def test_documents_without_endpoints_are_no_success() -> None:
    """A service that documents nothing has not been covered."""
    checks = await _checked(404, {})
    nothing_left_out(checks)
    assert checks.failed == 1
