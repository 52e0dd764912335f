"""A stack that was left up on request: the folder that stands for it, and how it is ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from capsize.platforms.docker.engine import connect
from capsize.platforms.docker.ground import clear

PREFIX = "capsize-docker-"
FILE = "stack.json"


class Left(msgspec.Struct, frozen=True):
    """By which label the stack's parts are known, and on which engine they are (DOCKER_HOST, if it was set)."""

    label: str
    host: str | None


def leave(label: str) -> Path:
    """Make the folder that stands for a stack, and return it."""
    place = Path(tempfile.mkdtemp(prefix=PREFIX))
    (place / FILE).write_bytes(msgspec.json.encode(Left(label, os.environ.get("DOCKER_HOST"))))
    return place


def is_left(place: Path) -> bool:
    """Tell whether a folder stands for a stack of containers."""
    return place.name.startswith(PREFIX) and (place / FILE).is_file()


def end(place: Path) -> None:
    """Remove everything of the stack, and the folder. Raises UsageError without an engine, and EngineError."""
    left = msgspec.json.decode((place / FILE).read_bytes(), type=Left)
    if left.host is not None:
        os.environ["DOCKER_HOST"] = left.host
    engine = connect()
    try:
        clear(engine.client, left.label)
    finally:
        engine.close()
    shutil.rmtree(place)
