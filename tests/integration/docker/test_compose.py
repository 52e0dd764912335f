"""compose.yaml as a person uses it: built, scaled, healthy, killed and back, and gone without a trace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from capsize.platforms.docker.engine import Engine
from support.docking import base_images, need_compose, need_docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 240.0
MIB = 1024**2


@dataclass
class Project:
    """One run of compose.yaml, under a name and on a port of its own."""

    command: tuple[str, ...]
    name: str
    port: int
    env: dict[str, str]

    def compose(self, *words: str) -> str:
        """Run a command of Docker Compose, and return what it printed."""
        command = [*self.command, "--project-name", self.name, *words]
        ran = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert ran.returncode == 0, f"{words}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    def containers(self, engine: Engine, service: str | None = None) -> list[Any]:
        """Return the project's containers."""
        labels = [f"com.docker.compose.project={self.name}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        found: list[Any] = engine.client.containers.list(all=True, filters={"label": labels})
        return found

    def get(self, path: str) -> Any:
        """Return what the API answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """The project with three workers."""
    command = need_compose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    # The classic builder: the client of the newer one is not installed everywhere.
    env = (
        os.environ
        | base_images()
        | {"PORT": str(port), "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    )
    made = Project(command, f"capsize-test-{os.getpid()}", port, env)
    try:
        made.compose("up", "--detach", "--build", "--scale", "worker=3")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "2")
        engine = need_docker()
        left = made.containers(engine), engine.client.volumes.list(filters={"name": made.name})
        engine.close()
        assert left == ([], [])


def test_it_is_up_when_it_says_so(project: Project, engine: Engine) -> None:
    """The API waited for the migration and the database, three workers for the API; all of them are at work."""
    assert project.get("/health/ready")["status"] == "ok"
    (migration,) = project.containers(engine, "migrate")
    assert migration.attrs["State"]["ExitCode"] == 0
    for service in ("postgres", "api"):
        (container,) = project.containers(engine, service)
        assert container.attrs["State"]["Health"]["Status"] == "healthy"
    end = time.monotonic() + 60
    while len(project.get("/health/detailed")["workers"]) != 3:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_every_part_has_limits_and_a_way_back(project: Project, engine: Engine) -> None:
    """Memory and cores are bounded, what is killed is restarted, and the starter is no root."""
    for service in ("postgres", "api", "worker"):
        for container in project.containers(engine, service):
            host = container.attrs["HostConfig"]
            assert host["Memory"] == 512 * MIB
            assert host["NanoCpus"] == 1_000_000_000 or host["CpuQuota"] == host["CpuPeriod"]
            assert host["RestartPolicy"]["Name"] == "unless-stopped"
    (api,) = project.containers(engine, "api")
    assert api.exec_run(["id", "-u"]).output.strip() == b"10001"
    published = api.attrs["HostConfig"]["PortBindings"]["3000/tcp"]
    assert [one["HostIp"] for one in published] == ["127.0.0.1"]


def test_a_killed_worker_comes_back(project: Project, engine: Engine) -> None:
    """Its main process dies as of a crash, and the engine starts it again."""
    worker = project.containers(engine, "worker")[0]
    os.kill(worker.attrs["State"]["Pid"], 9)
    end = time.monotonic() + 60
    while worker.attrs["RestartCount"] < 1 or not worker.attrs["State"]["Running"]:
        assert time.monotonic() < end
        time.sleep(0.1)
        worker.reload()


def test_the_api_check_passes_on_it(project: Project) -> None:
    """The scripts work on what compose started: every endpoint, with work done by the workers."""
    from capsize.cli.app import entry

    assert entry(["api-check", str(project.port)]) == 0


def test_official_images_are_the_default(project: Project) -> None:
    """Without any variable the file names the official images."""
    env = {
        name: text
        for name, text in project.env.items()
        if name not in ("PYTHON_IMAGE", "POSTGRES_IMAGE", "PORT")
    }
    told = Project(project.command, project.name, project.port, env).compose("config")
    assert "postgres:18" in told
    assert "python:3.13-slim" in told
