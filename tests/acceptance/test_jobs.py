"""Runs side by side, with real processes: each by itself, all healed whatever ends them, and scenarios of one's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from capsize.core.events import InstanceChanged, RunEnded, Struck
from capsize.rundir import RunDirectory
from support.engines import need_postgres

pytestmark = [pytest.mark.timeout(300)]

LIMIT_S = 120.0
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _postgres() -> None:
    need_postgres()


@contextmanager
def running(output: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Have `capsize run` under way, deaf to the variables of the caller's environment."""
    env = {name: value for name, value in os.environ.items() if name not in ("PORT", "BASE_URL", "VERBOSE")}
    process = subprocess.Popen(
        [sys.executable, "-m", "capsize", "run", "--output", str(output), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something, within a generous limit."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {LIMIT_S:g} s"
        time.sleep(0.05)


def runs(output: Path) -> list[RunDirectory]:
    """Return the runs that have a history."""
    return [RunDirectory(path.parent) for path in sorted(output.glob("*/history.jsonl"))]


def landed(output: Path) -> int:
    """Return in how many runs a strike has landed."""
    return sum(any(one.stage == "landed" for one in run.history().of(Struck)) for run in runs(output))


def alive(pids: set[int]) -> list[int]:
    """Return those of the processes that still live."""
    left = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                left.append(pid)
        except psutil.NoSuchProcess:
            continue
    return left


def instances(output: Path) -> set[int]:
    """Return the processes that the runs' histories name."""
    return {
        event.pid
        for run in runs(output)
        for event in run.history().of(InstanceChanged)
        if event.pid is not None
    }


def endings(output: Path) -> list[str]:
    """Return how the runs ended that ended in order."""
    return [event.how for run in runs(output) for event in run.history().of(RunEnded)]


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes of the runs."""
    return psutil.Process(process.pid).children()


def test_an_interrupt_reaches_every_run_and_every_run_heals(tmp_path: Path) -> None:
    """SIGINT to the parent alone: both runs are healed, ended in order and reported; nothing is left."""
    with running(
        tmp_path, "--scenarios", "db-failure,worker-restart", "--seed", "3", "--jobs", "2"
    ) as process:
        until(lambda: landed(tmp_path) == 2, "a strike in both runs")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, said
    assert endings(tmp_path) == ["interrupted", "interrupted"]
    for line in (
        " db-failure: UNKNOWN",
        " worker-restart: UNKNOWN",
        "db-failure     | ",
        "worker-restart | ",
    ):
        assert line in said
    stopped = [run for run in runs(tmp_path) if "db-failure" in run.path.name]
    assert "healed" in [event.stage for event in stopped[0].history().of(Struck)]
    assert alive(instances(tmp_path)) == []


def test_runs_whose_parent_was_killed_heal_and_end(tmp_path: Path) -> None:
    """SIGKILL to the parent: nobody tells the runs, they notice, heal, stop everything and end by themselves."""
    with running(
        tmp_path, "--scenarios", "db-failure,worker-restart", "--seed", "3", "--jobs", "2"
    ) as process:
        until(lambda: landed(tmp_path) == 2, "a strike in both runs")
        pids = {child.pid for child in children(process)}
        assert len(pids) == 2
        process.kill()
        process.wait()
    until(lambda: not alive(pids), "the end of the runs")
    assert endings(tmp_path) == ["interrupted", "interrupted"]
    assert alive(instances(tmp_path)) == []


def test_a_run_that_is_killed_harms_no_other(tmp_path: Path) -> None:
    """Two seeds side by side, one process killed: UNKNOWN with the reason, its stack ended, the other passes."""
    with running(
        tmp_path,
        *("--scenarios", "worker-restart", "--seed", "11"),
        *("--repeat", "2", "--jobs", "2", "--time-scale", "0.4"),
    ) as process:
        until(lambda: landed(tmp_path) >= 1, "a strike")
        children(process)[0].kill()
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2, said
    whole = json.loads((tmp_path / "summary.json").read_text())
    assert sorted(run["status"] for run in whole["runs"]) == ["PASS", "UNKNOWN"], said
    (dead,) = [run for run in whole["runs"] if run["status"] == "UNKNOWN"]
    assert "was ended by SIGKILL" in dead["reason"]
    assert [run["seed"] for run in whole["runs"]] == [11, 12]
    (repeated,) = whole["repeats"]
    assert (repeated["ran"], repeated["passed"], repeated["worst_seed"]) == (2, 1, dead["seed"])
    assert "1 of 2 runs passed, 50.0% (95% interval 9.4% to 90.5%; 1 UNKNOWN)" in said
    assert alive(instances(tmp_path)) == []


NOT_STEADY = '''
"""Asks for more than any API can do."""
import msgspec
from capsize.scenario import Hypothesis, Phase, api, experiment, strike

def plan(level, seed):
    """No API answers within a microsecond."""
    made = experiment(
        level,
        seed,
        loads=[api()],
        strikes=[strike("kill", "api", at_s=0.1)],
        chaos_s=1.0,
        hypothesis=Hypothesis(api_p99_max_s=1e-6),
    )
    steady = Phase(name="steady", limit_s=1.0, until="steady")
    return msgspec.structs.replace(made, phases=(steady, *made.phases[1:]))
'''


def test_the_scenario_of_the_docs_runs_and_broken_ones_harm_it_not(tmp_path: Path) -> None:
    """The very text of docs/custom-scenarios.md passes; a broken file is an ERROR, and what was never normal is
    not struck at all.
    """
    (text,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "custom-scenarios.md").read_text(), re.DOTALL
    )
    assert len(text.splitlines()) < 30
    for name, content in (
        ("frozen_worker", text),
        ("broken", "def plan(level, seed):\n    return 1 / 0\n"),
        ("impatient", NOT_STEADY),
    ):
        (tmp_path / f"{name}.py").write_text(content)
    files = ",".join(str(tmp_path / f"{name}.py") for name in ("broken", "frozen_worker", "impatient"))
    output = tmp_path / "runs"
    with running(
        output, "--scenarios", files, "--seed", "3", "--jobs", "2", "--time-scale", "0.2"
    ) as process:
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 64, said
    whole = json.loads((output / "summary.json").read_text())
    assert {Path(run["scenario"]).stem: run["status"] for run in whole["runs"]} == {
        "frozen-worker": "PASS",
        "impatient": "NOT STEADY",
        "broken": "ERROR",
    }, said
    assert f"capsize run: {tmp_path / 'broken.py'}: its plan raised ZeroDivisionError" in said
    (impatient,) = [run.history() for run in runs(output) if "impatient" in run.path.name]
    assert impatient.of(Struck) == ()
    assert endings(output).count("not_steady") == 1
