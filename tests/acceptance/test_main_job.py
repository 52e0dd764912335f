"""The main job from outside: run, interrupt, kill, report, replay, with real processes and a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from capsize.core.events import InstanceChanged, RunEnded, Struck
from capsize.core.history import History
from capsize.rundir import RunDirectory
from support.engines import need_postgres

pytestmark = [pytest.mark.timeout(300)]

LIMIT_S = 120.0
QUICK = ("--time-scale", "0.3", "--seed", "11")


@pytest.fixture(autouse=True)
def _postgres() -> None:
    need_postgres()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "capsize", *words]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*words), capture_output=True, text=True, timeout=LIMIT_S, check=False)


def _held(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether a run passed, or proved nothing only because this machine was too busy to measure on."""
    busy = done.returncode == 2 and "instrument" in done.stdout and "FAIL" not in done.stdout
    return done.returncode == 0 or busy


def _only_run(output: Path) -> RunDirectory:
    (path,) = [path for path in output.iterdir() if path.is_dir()]
    return RunDirectory.open(path)


def _left(history: History) -> list[int]:
    """Return the processes of a run that still live, by the pids that its history names."""
    pids = {event.pid for event in history.of(InstanceChanged) if event.pid is not None}
    return [
        pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {LIMIT_S:g} s"
        time.sleep(0.05)


def _struck(output: Path, stage: str) -> bool:
    runs = list(output.glob("*/history.jsonl")) if output.exists() else []
    return any(
        event.stage == stage for path in runs for event in RunDirectory(path.parent).history().of(Struck)
    )


def _begin(output: Path, *words: str) -> subprocess.Popen[str]:
    """Start a run that is held in its chaos phase: a freeze-free kill scenario with plenty of slow work."""
    return subprocess.Popen(
        _command("run", "--output", str(output), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_scenarios_pass_and_print_the_summary(tmp_path: Path) -> None:
    """The first command of the README, scaled down: exit 0, the guide's summary, and nothing left."""
    done = _run("run", "--scenarios", "baseline,worker-restart", "--output", str(tmp_path), *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("Total scenarios: 2", "Passed: 2", "baseline: PASS", "worker-restart: PASS", "Seed: 11"):
        assert line in done.stdout
    runs = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(runs) == 2
    assert not [pid for path in runs for pid in _left(RunDirectory.open(path).history())]


def test_an_interrupt_heals_stops_and_still_tells(tmp_path: Path) -> None:
    """SIGINT while PostgreSQL is held down: healed, ended in order, nothing left, and a report."""
    process = _begin(tmp_path, "--scenarios", "db-failure", "--seed", "3")
    try:
        _until(lambda: _struck(tmp_path, "landed"), "a strike")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 130, printed
    history = _only_run(tmp_path).history()
    assert [event.how for event in history.of(RunEnded)] == ["interrupted"]
    assert "healed" in [event.stage for event in history.of(Struck)]
    assert _left(history) == []
    assert "Chaos Testing Results" in printed


def test_after_a_sigkill_the_run_directory_still_tells_the_story(tmp_path: Path) -> None:
    """SIGKILL of capsize in mid-run: `report` and `judge` say UNKNOWN with the strikes so far, never PASS."""
    process = _begin(tmp_path, "--scenarios", "multi-worker-chaos", "--seed", "3")
    try:
        _until(lambda: _struck(tmp_path, "healed"), "a healed strike")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
    finally:
        process.kill()
    run = _only_run(tmp_path)
    reported = _run("report", str(run.path))
    assert "UNKNOWN" in reported.stdout, reported.stdout + reported.stderr
    assert "kill" in reported.stdout
    assert "worker-" in reported.stdout
    judged = _run("judge", str(run.path))
    assert judged.returncode == 2, judged.stdout + judged.stderr
    if sys.platform == "linux":
        _until(lambda: not _left(run.history()), "the end of the orphaned processes")


def test_a_replay_carries_out_the_same_plan(tmp_path: Path) -> None:
    """`capsize replay RUN` makes a new run directory with the very same experiment, and carries it out."""
    first, second = tmp_path / "first", tmp_path / "second"
    done = _run("run", "--scenarios", "worker-restart", "--output", str(first), *QUICK)
    assert _held(done), done.stdout + done.stderr
    run = _only_run(first)
    again = _run("replay", str(run.path), "--output", str(second))
    assert _held(again), again.stdout + again.stderr
    replayed = _only_run(second)
    assert replayed.experiment_path.read_bytes() == run.experiment_path.read_bytes()
    assert [e.strike for e in replayed.history().of(Struck) if e.stage == "landed"]


def test_the_same_seed_makes_identical_plan_files(tmp_path: Path) -> None:
    """Two invocations with one seed write the same experiment.json; a third with another seed does not."""
    plans = []
    for number, seed in enumerate(("5", "5", "6")):
        output = tmp_path / str(number)
        process = _begin(output, "--scenarios", "multi-worker-chaos", "--seed", seed, "--time-scale", "0.3")
        try:
            _until(lambda: bool(list(output.glob("*/experiment.json"))), "the plan")  # noqa: B023
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
        plans.append(_only_run(output).experiment_path.read_bytes())
    assert plans[0] == plans[1] != plans[2]


def test_a_run_can_leave_its_system_up_and_end_it_later(tmp_path: Path) -> None:
    """`--no-cleanup` leaves a system that answers; `capsize down --run` ends it, and nothing is left."""
    done = _run("run", "--scenarios", "baseline", "--no-cleanup", "--output", str(tmp_path), *QUICK)
    run = _only_run(tmp_path)
    left = run.left_up()
    try:
        assert _held(done), done.stdout + done.stderr
        assert left is not None
        assert f"down --run {run.path}" in done.stdout
        with urllib.request.urlopen(f"{left.api_url}/health/ready", timeout=20) as answer:
            assert answer.status == 200
    finally:
        ended = _run("down", "--run", str(run.path))
    assert ended.returncode == 0, ended.stderr
    _until(lambda: not _left(run.history()), "the end of what was left up")
    assert not Path(left.place).exists()
    again = _run("down", "--run", str(run.path))
    assert again.returncode == 64
    assert "ended already" in again.stderr
