"""Real runs that do not come to their end: Ctrl-C heals and reports, SIGKILL leaves a history to be told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from support.engines import need_postgres

LIMIT_S = 90.0
CAPSIZE = Path(sys.executable).with_name("capsize")


@contextmanager
def running(output: Path) -> Iterator[subprocess.Popen[str]]:
    """Have a run under way, in its own process group; what is left of the group is ended afterwards."""
    need_postgres()
    env = {
        name: value for name, value in os.environ.items() if name not in ("PORT", "BASE_URL", "OUTPUT_DIR")
    }
    process = subprocess.Popen(
        [CAPSIZE, "run", "--scenarios", "worker-restart", "--seed", "3", "--output", output],
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


def until_line(process: subprocess.Popen[str], text: str) -> str:
    """Read the output until a line holds the text; the pytest timeout bounds the wait."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    pytest.fail(f"the run ended without saying {text!r}:\n{said}")


def offspring(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return all processes that the run started."""
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_heals_stops_everything_and_reports(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 128 and the signal, a verdict of UNKNOWN, the summary, and no process left."""
    with running(tmp_path) as process:
        until_line(process, ": landed")
        started = offspring(process)
        assert started
        process.send_signal(number)
        rest, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number, rest
    assert " worker-restart: UNKNOWN" in rest
    assert f"interrupted by {number.name}" in rest
    assert not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    (history,) = tmp_path.glob("*/history.jsonl")
    lines = history.read_text()
    assert '"how":"interrupted"' in lines
    assert '"stage":"healed"' in lines


def test_a_run_whose_capsize_was_killed_still_tells_its_story(tmp_path: Path) -> None:
    """SIGKILL in mid-run: `capsize report` tells the last phase, the strike and the tasks up to there."""
    with running(tmp_path) as process:
        until_line(process, ": landed")
        started = offspring(process)
        process.kill()
        process.wait()
        _wait_until_ended(started)
    (directory,) = (path.parent for path in tmp_path.glob("*/history.jsonl"))
    told = subprocess.run(
        [CAPSIZE, "report", directory], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "worker-restart: UNKNOWN" in told.stdout
    assert "in phase chaos (cut off)" in told.stdout
    assert "10 tasks accepted" in told.stdout
    assert re.search(r"strike s1: \w+ worker-\d: landed", told.stdout)


def _wait_until_ended(processes: list[psutil.Process]) -> None:
    """Wait until the guardian has ended what a killed capsize left."""
    gone_by = time.monotonic() + LIMIT_S
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes):
        assert time.monotonic() < gone_by
        time.sleep(0.05)
