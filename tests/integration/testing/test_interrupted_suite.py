"""A test session that ends in the middle of a chaos run: the run heals and stops, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from capsize.core.errors import HistoryError
from capsize.core.history import History
from capsize.rundir import RunDirectory

LIMIT_S = 90.0


@pytest.mark.timeout(200)
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="a child learns of its parent's death on Linux alone"
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_run_of_a_session_that_ends_is_healed(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, and even SIGKILL to pytest alone: the run is interrupted in order, and no instance is left."""
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.chaos(scenario='worker-restart', seed=7)\ndef test_it(): pass\n"
    )
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell's background job, which CI may be, hands down a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        history = _until(tmp_path, lambda found: found.phase("chaos") is not None)
        pids = {int(event.pid) for event in history if getattr(event, "pid", None)}
        os.kill(session.pid, number)
        history = _until(tmp_path, lambda found: found.ended is not None)
        session.wait(LIMIT_S)
    finally:
        session.kill()
        session.wait()
    assert history.ended is not None
    assert history.ended.how == "interrupted"
    assert not [pid for pid in pids if _ours(pid)]


def _until(folder: Path, seen: object) -> History:
    """Return the history of the only run when it holds what is waited for."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        for found in folder.rglob("history.jsonl"):
            try:
                history = RunDirectory(found.parent).history()
            except HistoryError:
                continue
            if seen(history):  # type: ignore[operator]
                return history
        time.sleep(0.05)
    raise AssertionError("it was not seen in time")


def _ours(pid: int) -> bool:
    """Return whether an instance lives on, and not only a later process with its number."""
    try:
        return "starter" in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
