"""`capsize up`, `status`, `strike` and `down` on a real stack, in a state folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.engines import need_postgres

LIMIT_S = 120.0
CAPSIZE = Path(sys.executable).with_name("capsize")

Run = Callable[..., subprocess.CompletedProcess[str]]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return the command with a state folder of its own; whatever is up at the end is taken down."""
    need_postgres()
    env = os.environ | {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    env.pop("PORT", None)

    def call(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CAPSIZE, *argv], capture_output=True, text=True, timeout=LIMIT_S, env=env, check=False
        )

    yield call
    call("down")


@pytest.fixture(scope="module")
def port(run: Run) -> int:
    """Bring the stack up once for this module and return the API's port."""
    chosen = _free_port()
    ran = run("up", "--port", str(chosen), "--workers", "2")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"http://127.0.0.1:{chosen}" in ran.stdout
    return chosen


def _instances(run: Run) -> dict[str, dict[str, object]]:
    return {found["name"]: found for found in json.loads(run("status", "--json").stdout)["instances"]}


def test_status_without_a_stack_says_so(tmp_path: Path) -> None:
    """Exit code 1 and the command that starts one."""
    ran = subprocess.run(
        [CAPSIZE, "status"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
        check=False,
    )
    assert ran.returncode == 1
    assert "capsize up" in ran.stdout


def test_up_again_changes_nothing(run: Run, port: int) -> None:
    """On the same port: exit 0 and the same processes. On another port: a usage error."""
    before = _instances(run)
    assert run("up", "--port", str(port)).returncode == 0
    assert _instances(run) == before
    other = run("up", "--port", str(_free_port()))
    assert other.returncode == 64
    assert "capsize down" in other.stderr


def test_status_shows_the_instances_and_what_the_api_says(run: Run, port: int) -> None:
    """Database, API and both workers are ready, and the task counts come from the API."""
    told = run("status")
    assert told.returncode == 0
    for name in ("postgres-1", "api-1", "worker-1", "worker-2"):
        assert name in told.stdout
    assert "created 0" in told.stdout


def test_restart_replaces_the_process(run: Run, port: int) -> None:
    """`strike restart --service server` is the API; when it returns a new process is ready."""
    before = _instances(run)["api-1"]
    ran = run("strike", "restart", "--service", "server", "--delay", "0.2")
    assert ran.returncode == 0, ran.stderr
    after = _instances(run)["api-1"]
    assert after["ready"]
    assert after["pid"] != before["pid"]
    assert after["port"] == before["port"]


def test_stop_lasts_until_start(run: Run, port: int) -> None:
    """A stopped worker stays down, the other one is left alone, and start brings it back."""
    other = _instances(run)["worker-2"]["pid"]
    assert run("strike", "stop", "--service", "worker-1").returncode == 0
    assert not _instances(run)["worker-1"]["ready"]
    assert run("strike", "start", "--service", "worker-1").returncode == 0
    assert _instances(run)["worker-1"]["ready"]
    assert _instances(run)["worker-2"]["pid"] == other


def test_pause_freezes_and_goes_on_after_its_delay(run: Run, port: int) -> None:
    """Without a delay it lasts; start lets the same process go on."""
    pid = _instances(run)["worker-1"]["pid"]
    assert run("strike", "pause", "--service", "worker-1").returncode == 0
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED  # type: ignore[arg-type]
    assert run("strike", "start", "--service", "worker-1").returncode == 0
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED  # type: ignore[arg-type]
    assert run("strike", "pause", "--service", "worker-1", "--delay", "0.1").returncode == 0
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED  # type: ignore[arg-type]


def test_an_unknown_service_is_a_usage_error(run: Run, port: int) -> None:
    """Nothing is struck, and the known names are said."""
    ran = run("strike", "kill", "--service", "workr")
    assert ran.returncode == 64
    assert "did you mean 'worker'" in ran.stderr


def test_down_leaves_nothing(run: Run, port: int) -> None:
    """Every process of the stack is gone, and a second down is fine."""
    pids = [found["pid"] for found in _instances(run).values()]
    assert run("down").returncode == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]  # type: ignore[arg-type]
    assert run("down").returncode == 0
    assert run("status").returncode == 1
