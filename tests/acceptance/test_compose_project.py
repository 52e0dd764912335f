"""`capsize run --compose`: the starter's own compose.yaml as the system under test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.docking import base_images, found, need_docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
CAPSIZE = Path(sys.executable).with_name("capsize")


def _run(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {
        name: text
        for name, text in os.environ.items()
        if name not in ("PORT", "BASE_URL", "CAPSIZE_PLATFORM")
    }
    return subprocess.run(
        [CAPSIZE, "run", *argv],
        cwd=cwd,
        env=env | base_images(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_worker_of_a_compose_project_is_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    """The project's own commands and images, the witness's word on every task, and nothing left on the engine."""
    engine = need_docker()
    ran = _run(
        *("--compose", str(ROOT / "compose.yaml"), "--system", "starter", "--scenarios", "worker-restart"),
        *("--seed", "3", "--time-scale", "0.3", "--json"),
        cwd=tmp_path,
    )
    # 2: on a machine that is busy otherwise capsize's own instruments lag.
    assert ran.returncode in (0, 2), ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "api: api (capsize-starter:compose, port 3000)" in ran.stderr
    (run,) = json.loads(ran.stdout)["runs"]
    assert (run["platform"], run["system"]) == ("docker", "compose:starter")
    claims = {one["checker"]: one["verdict"] for one in run["claims"]}
    for claim in (
        "lost",
        "duplicate",
        "overlap",
        "stuck",
        "landed",
        "reported" if "reported" in claims else "completion",
    ):
        assert claims[claim] == "PASS", run
    (label,) = _labels(tmp_path)
    assert found(engine, label) == {"containers": [], "networks": [], "volumes": []}
    engine.close()


def _labels(folder: Path) -> set[str]:
    """Return the labels that the guardian was told of."""
    (log,) = folder.glob("runs/*/undo.jsonl")
    labels = set()
    for line in log.read_text().splitlines():
        start = line.find("capsize.run=")
        if start >= 0:
            labels.add(line[start:].split('"')[0])
    return labels


def test_a_project_that_does_not_allow_it_is_not_touched(tmp_path: Path) -> None:
    """Without the labels: exit 64, nothing built, nothing started."""
    text = (ROOT / "compose.yaml").read_text().replace('capsize.allow: "true"', "a: b")
    (tmp_path / "compose.yaml").write_text(text)
    ran = _run(
        "--compose", "compose.yaml", "--system", "starter", "--scenarios", "worker-restart", cwd=tmp_path
    )
    assert ran.returncode == 64
    assert "services.postgres.labels: nothing allows capsize to break postgres, api, worker" in ran.stderr
    assert not list(tmp_path.glob("runs/*"))
