"""``capsize run --platform docker`` from outside: a run, what it leaves up on request, and no engine at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from capsize.platforms.docker.left import Left
from support.docking import need_docker

CAPSIZE = Path(sys.executable).with_name("capsize")
LIMIT_S, ALL_LIMIT_S = 300.0, 1800.0


def capsize(*words: str | Path, limit_s: float = LIMIT_S, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    plain = {k: v for k, v in os.environ.items() if k not in ("PORT", "BASE_URL", "OUTPUT_DIR", "VERBOSE")}
    return subprocess.run(
        [CAPSIZE, *words], capture_output=True, text=True, timeout=limit_s, check=False, env=plain | env
    )


def test_without_an_engine_nothing_is_begun(tmp_path: Path) -> None:
    """One message that says where was looked and what to do, exit code 64, and no run directory."""
    words = ("run", "--platform", "docker", "--scenarios", "baseline,recovery", "--output", tmp_path)
    done = capsize(*words, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 64
    assert "no Docker engine answers at unix:///nonexistent/docker.sock" in done.stderr
    assert "--platform local" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.docker
@pytest.mark.timeout(LIMIT_S)
def test_a_run_on_docker_is_judged_and_can_be_left_up(tmp_path: Path) -> None:
    """Baseline passes on containers; left up, its API answers until ``down --run``, after which nothing is there."""
    client = need_docker().client
    done = capsize(
        "run",
        "--platform",
        "docker",
        "--scenarios",
        "baseline",
        "--no-cleanup",
        "--output",
        tmp_path,
        "--seed",
        "5",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert json.loads((run / "history.jsonl").read_text().splitlines()[0])["platform"] == "docker"
    assert {"api-1.log", "worker-1.log", "postgres-1.log", "migrate.log"} <= {
        p.name for p in (run / "logs").iterdir()
    }
    left = json.loads(next(run.glob("left*.json")).read_text())
    label = msgspec.json.decode((Path(left["place"]) / "stack.json").read_bytes(), type=Left).label
    try:
        with urllib.request.urlopen(f"{left['api_url']}/health/ready", timeout=10) as answer:
            assert answer.status == 200
    finally:
        ended = capsize("down", "--run", run)
    assert ended.returncode == 0, ended.stderr
    filters = {"label": label}
    assert client.containers.list(all=True, filters=filters) == []
    assert client.networks.list(filters=filters) == []
    assert client.volumes.list(filters=filters) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(ALL_LIMIT_S)
@pytest.mark.parametrize("level", ["1", "3"])
def test_all_standard_scenarios_pass_on_docker(tmp_path: Path, level: str) -> None:
    """The ten of them, unchanged; about nine minutes for a level on a machine that does nothing else."""
    need_docker()
    done = capsize(
        "run",
        "--platform",
        "docker",
        "--difficulty",
        level,
        "--seed",
        "7",
        "--output",
        tmp_path,
        limit_s=ALL_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "Total scenarios: 10" in done.stdout
    assert "SKIPPED" not in done.stdout
