"""What tests need of a Docker engine: the engine itself, and small images."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from capsize.core.clock import MonotonicClock
from capsize.core.errors import UsageError
from capsize.core.platform import Instance
from capsize.platforms.docker.engine import Engine, connect
from capsize.platforms.docker.images import OFFICIAL_POSTGRES, Images, base_image
from capsize.platforms.docker.platform import DockerPlatform
from support.engines import missing
from support.guards import RecordingGuard
from support.tiny import Recorder
from support.waiting import until

TINY = Path(__file__).with_name("tiny_api.py")
OFFICIAL_PYTHON = "python:3.13-slim"


def need_docker() -> Engine:
    """Return the engine; skip the test where none answers, or fail it in CI."""
    try:
        return connect()
    except UsageError as error:
        missing(str(error))
        raise


def need_compose() -> tuple[str, ...]:
    """Return the command that is Docker Compose here, with an engine to talk to; skip or fail without one."""
    need_docker().close()
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            subprocess.run([*command, "version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    missing("Docker Compose is not installed")
    raise AssertionError


def base_images() -> dict[str, str]:
    """Return the variables by which compose.yaml is told of base images that the engine has."""
    engine = connect()
    try:
        return {
            "PYTHON_IMAGE": base_image(engine.client, "python", OFFICIAL_PYTHON, print),
            "POSTGRES_IMAGE": base_image(engine.client, "postgres", OFFICIAL_POSTGRES, print),
        }
    finally:
        engine.close()


@cache
def tiny_images() -> Images:
    """Return images for the services of ``tiny.py``: the program lies where it lies on this machine."""
    engine = connect()
    client = engine.client
    base = base_image(client, "python", OFFICIAL_PYTHON, print)
    recipe = f"FROM {base}\nCOPY tiny_api.py {TINY}\nUSER 10001\n".encode()
    mark = hashlib.sha256(recipe + client.images.get(base).id.encode() + TINY.read_bytes()).hexdigest()[:12]
    tag = f"capsize-tiny:{mark}"
    if not client.images.list(name=tag):
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            tar.add(TINY, "tiny_api.py")
            info = tarfile.TarInfo("Dockerfile")
            info.size = len(recipe)
            tar.addfile(info, io.BytesIO(recipe))
        context.seek(0)
        client.images.build(fileobj=context, custom_context=True, tag=tag, rm=True)
    images = Images(starter=tag, postgres=base_image(client, "postgres", OFFICIAL_POSTGRES, print))
    engine.close()
    return images


@dataclass
class Docked:
    """A platform on the engine, what it recorded, whom it told, and where its logs are."""

    platform: DockerPlatform
    record: Recorder
    guard: RecordingGuard
    logs: Path

    def one(self, name: str) -> Instance:
        """Return an instance by name."""
        return next(i for i in self.platform.instances() if i.name == name)

    async def ready(self, name: str) -> Instance:
        """Wait until an instance is ready."""
        await until(lambda: self.one(name).ready)
        return self.one(name)


def make(folder: Path) -> Docked:
    """Make a platform for the services of ``tiny.py``."""
    record, guard = Recorder(), RecordingGuard()
    platform = DockerPlatform(
        folder / "logs", record, MonotonicClock(), {}, guard=guard, images=tiny_images()
    )
    return Docked(platform, record, guard, folder / "logs")


def found(engine: Engine, label: str) -> dict[str, list[str]]:
    """Return the names of everything on the engine that bears a label."""
    client, filters = engine.client, {"label": label}
    return {
        "containers": sorted(c.name for c in client.containers.list(all=True, filters=filters)),
        "networks": [n.name for n in client.networks.list(filters=filters)],
        "volumes": [v.name for v in client.volumes.list(filters=filters)],
    }
