"""Which images a run's containers are made from: found, pulled, or built, and built again only for other code."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from capsize.core.errors import StartError, UsageError
from capsize.platforms.docker.base import FINGERPRINT, LOCAL, MAKERS, fingerprint
from capsize.platforms.docker.engine import EngineError, is_missing, spoken

if TYPE_CHECKING:
    import docker

ROOT = Path(__file__).resolve().parents[4]
"""The project, where capsize runs from its sources."""

STARTER = "capsize-starter"
OFFICIAL_POSTGRES = "postgres:18"
PASSED_ON = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"
)  # fmt: skip
"""What a build gets of the caller's environment, as arguments, so that pip finds its packages where the caller does."""

_ARGUMENT = re.compile(r"^ARG\s+PYTHON_IMAGE=(\S+)", re.MULTILINE)
_DECLARED = re.compile(r"^ARG\s+(\w+)", re.MULTILINE)

Say = Callable[[str], object]


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """The images of the services and of the database, by name."""

    starter: str
    postgres: str


def ensure(client: docker.DockerClient, say: Say = lambda _: None) -> Images:
    """Return images that the engine has; what is missing is pulled or made first, which ``say`` tells.

    CAPSIZE_STARTER_IMAGE, CAPSIZE_PYTHON_IMAGE and CAPSIZE_POSTGRES_IMAGE name images to take instead. Blocks;
    runs side by side do it one after the other. Raises StartError and EngineError.
    """
    with _one_at_a_time():
        postgres = base_image(client, "postgres", OFFICIAL_POSTGRES, say)
        given = os.environ.get("CAPSIZE_STARTER_IMAGE")
        if given:
            return Images(starter=_given(client, given, "CAPSIZE_STARTER_IMAGE"), postgres=postgres)
        return Images(starter=_starter(client, say), postgres=postgres)


def _starter(client: docker.DockerClient, say: Say) -> str:
    """Return the starter's image for the code as it is now."""
    recipe = ROOT / "Dockerfile"
    if not recipe.is_file():
        raise UsageError(
            "the starter's image is built from capsize's sources, and this is an installed package. "
            "Name an image of your service in CAPSIZE_STARTER_IMAGE"
        )
    text = recipe.read_text()
    official = _ARGUMENT.search(text)
    base = base_image(client, "python", official[1] if official else "python:3.13-slim", say)
    files = _context()
    digest = hashlib.sha256(str(client.images.get(base).id).encode())
    for path in files:
        digest.update(f"{path}\0".encode() + (ROOT / path).read_bytes() + b"\0")
    mark = digest.hexdigest()[:12]
    tag = f"{STARTER}:{mark}"
    if not _has(client, tag):
        began = time.monotonic()
        arguments = {"PYTHON_IMAGE": base} | _settings(text)
        spoken(_build, client, tag, files, arguments, {FINGERPRINT: mark})
        say(f"built {tag} in {time.monotonic() - began:.1f} s from {base}")
    return tag


def _settings(recipe: str) -> dict[str, str]:
    """Return what the build is told of the caller's environment: the proxies, and what the recipe declares."""
    known = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", *_DECLARED.findall(recipe)}
    return {name: os.environ[name] for name in PASSED_ON if os.environ.get(name) and name in known}


def _build(
    client: docker.DockerClient, tag: str, files: list[str], arguments: dict[str, str], labels: dict[str, str]
) -> None:
    from docker.errors import BuildError

    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path in files:
            tar.add(ROOT / path, path, recursive=False)
    context.seek(0)
    try:
        client.images.build(
            fileobj=context,
            custom_context=True,
            dockerfile="Dockerfile",
            tag=tag,
            buildargs=arguments,
            labels=labels,
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        lines = [str(entry["stream"]).rstrip() for entry in error.build_log if "stream" in entry]
        told = "\n".join(f"  | {line}" for line in lines[-15:] if line)
        raise StartError(f"the image {tag} can't be built: {error.msg}\n{told}") from error


def _context() -> list[str]:
    """Return the files that a build is given, by ``.dockerignore``, relative to the project, in order."""
    from docker.utils.build import exclude_paths

    ignored = ROOT / ".dockerignore"
    lines = ignored.read_text().splitlines() if ignored.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found = exclude_paths(str(ROOT), patterns, dockerfile="Dockerfile")
    return sorted(path for path in found if (ROOT / path).is_file())


def base_image(client: docker.DockerClient, kind: str, official: str, say: Say) -> str:
    """Return a base image: the one that was named, else the official one, else one made from this machine."""
    variable = f"CAPSIZE_{kind.upper()}_IMAGE"
    given = os.environ.get(variable)
    if given:
        return _given(client, given, variable)
    local, mark = LOCAL[kind], fingerprint(kind)
    if _has(client, official):
        return official
    if _has(client, local, mark):
        return local
    began = time.monotonic()
    try:
        spoken(client.images.pull, official)
    except EngineError as error:
        say(f"{official} can't be pulled ({error}); an image is made from this machine instead")
        MAKERS[kind](client, local)
        say(f"made {local} in {time.monotonic() - began:.1f} s")
        return local
    say(f"pulled {official} in {time.monotonic() - began:.1f} s")
    return official


def _given(client: docker.DockerClient, name: str, variable: str) -> str:
    if not _has(client, name):
        try:
            spoken(client.images.pull, name)
        except EngineError as error:
            raise StartError(
                f"{variable} names the image {name}, which the engine does not have: {error}"
            ) from error
    return name


def _has(client: docker.DockerClient, name: str, mark: str | None = None) -> bool:
    """Tell whether the engine has an image of that name, and with that fingerprint if one is given."""
    try:
        image = spoken(client.images.get, name)
    except EngineError as error:
        if is_missing(error):
            return False
        raise
    return mark is None or image.labels.get(FINGERPRINT) == mark


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold a lock of this user's while images are made, so that runs side by side make each once."""
    path = Path(tempfile.gettempdir()) / f"capsize-images-{os.geteuid()}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
