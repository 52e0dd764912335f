"""Capsize killed in every way there is: nothing is left, at once or by ``capsize heal``; and guardrails in real runs."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.engines import missing, need_postgres

LIMIT_S = 100.0
CAPSIZE = Path(sys.executable).with_name("capsize")
KILL = Path(__file__).resolve().parents[1] / "quality" / "kill.py"
KILLS = 6


@pytest.fixture
def output() -> Iterator[Path]:
    """A folder that the private /tmp of the machine of its own does not hide."""
    path = Path(tempfile.mkdtemp(prefix="kills-", dir="/var/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a command with a state folder of its own."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PORT", "BASE_URL", "OUTPUT_DIR")}
    return kept | {"XDG_STATE_HOME": str(tmp_path / "state")}


def own_machine(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run the kills on a machine of their own."""
    need_postgres()
    if os.geteuid() != 0:
        missing("only root can make namespaces to count in")
    return subprocess.run(
        [sys.executable, KILL, *argv], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def eventually(look: Callable[[], object]) -> None:
    """Wait until a look is true."""
    end = time.monotonic() + LIMIT_S
    while not look():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that have not ended."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_killed_at_random_moments_nothing_is_left(output: Path) -> None:
    """A few of the 200 of ``tests/quality/kill.py``, each with another fault: every one leaves the machine as it was."""
    ran = own_machine("--kills", str(KILLS), "--seed", "7", "--output", str(output))
    told = json.loads((output / "kills.json").read_text()) if ran.returncode in (0, 1) else []
    assert len(told) == KILLS, ran.stdout + ran.stderr
    assert [one["left"] for one in told] == [[]] * KILLS, ran.stdout
    assert all(one["during"] for one in told)


def test_with_the_guardian_killed_too_something_is_left_until_it_is_healed_by_hand(output: Path) -> None:
    """The count can fail; ``capsize heal --all`` then undoes it all, and again without harm."""
    ran = own_machine("--guardian-too", "--seed", "5", "--output", str(output))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "LEFT file: /dev/shm/capsize-" in ran.stdout
    assert "left after healing by hand: nothing" in ran.stdout


def test_a_terminal_that_is_closed_leaves_nothing(tmp_path: Path, env: dict[str, str]) -> None:
    """The hang-up reaches capsize alone; whether it still heals or not, nothing is left of what it started."""
    need_postgres()
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [CAPSIZE, "run", "--scenarios", "worker-restart", "--seed", "3", "--output", tmp_path / "runs"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    said = b""
    while b": landed" not in said:
        said += os.read(ours, 4096)
    started = psutil.Process(run.pid).children(recursive=True)
    assert started
    os.close(ours)
    run.wait(LIMIT_S)
    eventually(lambda: not alive(started))
    (undo,) = (tmp_path / "runs").glob("*/undo.jsonl")
    eventually(lambda: not list((tmp_path / "state" / "capsize" / "guarded").iterdir()))
    assert not _place(undo).exists()


def test_a_stack_whose_supervisor_is_killed_is_gone(tmp_path: Path, env: dict[str, str]) -> None:
    """``capsize up``, SIGKILL: processes, folders and the state go, and the next ``up`` finds a clean place."""
    need_postgres()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])

    def capsize(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CAPSIZE, *argv], capture_output=True, text=True, timeout=LIMIT_S, env=env, check=False
        )

    up = capsize("up", "--port", port)
    assert up.returncode == 0, up.stdout + up.stderr
    state = json.loads((tmp_path / "state" / "capsize" / "stack.json").read_text())
    supervisor = psutil.Process(state["pid"])
    started = supervisor.children(recursive=True)
    capsize("strike", "pause", "--service", "worker-1")
    supervisor.kill()
    eventually(lambda: not alive([supervisor, *started]))
    eventually(lambda: not Path(state["socket"]).parent.exists())
    assert not _place(tmp_path / "state" / "capsize" / "undo.jsonl").exists()
    assert "No stack is up" in capsize("status").stdout
    healed = capsize("heal", "--all")
    assert healed.returncode == 0, healed.stdout + healed.stderr


def test_a_guardrail_ends_a_real_run_and_the_replay_has_it(tmp_path: Path, env: dict[str, str]) -> None:
    """ABORTED with the condition and what was seen, exit code 2, everything healed; the plan names it."""
    need_postgres()
    condition = "instances_down > 0 for 100ms"
    asked = ["--scenarios", "worker-restart", "--seed", "3", "--abort-when", condition, "--max-harm", "1"]
    ran = subprocess.run(
        [CAPSIZE, "run", *asked, "--output", tmp_path],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=env,
        check=False,
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert re.search(rf"worker-restart: ABORTED \({re.escape(condition)}: 1 since \d", ran.stdout)
    assert f"--max-harm 1 --abort-when '{condition}'" in ran.stdout
    (history,) = tmp_path.glob("*/history.jsonl")
    assert '"how":"aborted"' in history.read_text()
    assert '"stage":"healed"' in history.read_text()
    plan = json.loads((history.parent / "experiment.json").read_text())
    assert (plan["abort_when"], plan["max_harm"]) == ([condition], 1)


def _place(undo: Path) -> Path:
    (found,) = set(re.findall(r'"undo":"place","path":"([^"]+)"', undo.read_text()))
    return Path(found)


def _take_terminal() -> None:
    """Make the terminal that is standard input the controlling one of this new session."""
    import fcntl
    import termios

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
