"""The example project's own suite, with pytest-xdist and pytest-asyncio, against the real starter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "pytest-suite"
LIMIT_S = 280.0


@pytest.mark.timeout(300)
def test_the_example_suite_passes_side_by_side(tmp_path: Path) -> None:
    """Marked runs, stacks by hand, asyncio and a scenario of one's own pass in two processes; each run is carried out once."""
    suite = shutil.copytree(
        EXAMPLE, tmp_path / "suite", ignore=shutil.ignore_patterns("runs", "__pycache__", ".*")
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "2",
            "--chaos-seed",
            "7",
            "--junitxml=junit.xml",
            "-p",
            "no:cacheprovider",
        ],
        cwd=suite,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        check=False,
    )
    assert "seed 7" in ran.stdout
    cases = [*ET.parse(suite / "junit.xml").iter("testcase")]
    names = {case.get("name", "") for case in cases if case.find("error") is None}
    assert not [case.get("name") for case in cases if case.find("failure") is not None], ran.stdout[-6000:]
    # On a machine that is busy with other things a run may prove nothing; it says so, and nothing else went wrong.
    errors = [case.find("error") for case in cases if case.find("error") is not None]
    assert all("UNKNOWN" in (error.get("message") or "") + (error.text or "") for error in errors), (
        ran.stdout[-6000:]
    )
    assert {"test_tasks_survive_their_worker", "test_tasks_survive_their_worker[lost]"} <= names
    assert "test_a_frozen_api_makes_no_task_twice[duplicate]" in names
    assert "test_a_killed_worker_loses_nothing" in names
    # Promises of one run go to both processes: whoever asks first carries it out, and the others read it.
    runs = [found.parent.name for found in suite.glob("runs/pytest/**/experiment.json")]
    assert sum("worker-restart" in name for name in runs) == 1
    assert sum("my-scenario" in name for name in runs) == 1
