"""Containers, networks and volumes with a label go; those without it, or with another, stay."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from capsize.core.errors import HealError
from capsize.core.undo import Containers
from capsize.guardian.steps.play import play
from support.docking import need_docker

LIMIT_S = 60.0
OURS, OTHERS = f"capsize-test=guardian-{os.getpid()}", f"capsize-test=other-{os.getpid()}"
IMAGE, TAG = "capsize-guardian-test", str(os.getpid())


@pytest.fixture
def client() -> Iterator[Any]:
    """An engine that answers, with an image of nothing; what the test made is removed."""
    engine = need_docker()
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w"):
        pass
    image = engine.client.api.import_image_from_data(empty.getvalue(), repository=IMAGE, tag=TAG)
    assert image
    try:
        yield engine.client
    finally:
        for label in (OURS, OTHERS):
            with suppress(HealError):
                play(Containers(label=label))
        engine.client.images.remove(f"{IMAGE}:{TAG}", force=True)
        engine.close()


def made(client: Any, label: str) -> set[str]:
    """Make one of each with a label and return their ids."""
    key, _, value = label.partition("=")
    labels = {key: value}
    name = label.replace("=", "-")
    return {
        client.networks.create(name, labels=labels).id,
        client.volumes.create(name, labels=labels).id,
        client.containers.create(f"{IMAGE}:{TAG}", "/nothing", labels=labels).id,
    }


def there(client: Any, label: str) -> set[str]:
    """Return what there is with a label."""
    wanted = {"label": label}
    found = [
        *client.containers.list(all=True, filters=wanted),
        *client.networks.list(filters=wanted),
        *client.volumes.list(filters=wanted),
    ]
    return {one.id for one in found}


def test_what_bears_the_label_is_removed_and_nothing_else(client: Any) -> None:
    """All three kinds, and again without harm."""
    ours, others = made(client, OURS), made(client, OTHERS)
    assert there(client, OURS) == ours
    play(Containers(label=OURS))
    assert there(client, OURS) == set()
    assert there(client, OTHERS) == others
    play(Containers(label=OURS))


def test_an_engine_that_does_not_answer_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it may still have is not known: that is no success, and it does not take for ever."""
    monkeypatch.setattr("capsize.guardian.steps.containers.LIMIT_S", 0.5)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    began = time.monotonic()
    with pytest.raises(HealError, match="Docker does not answer"):
        play(Containers(label=OURS))
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/nobody.sock")
        silent.listen()
        with pytest.raises(HealError, match="Docker does not answer"):
            play(Containers(label=OURS))
    assert time.monotonic() - began < LIMIT_S
