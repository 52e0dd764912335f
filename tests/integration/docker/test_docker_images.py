"""Images: made where none can be pulled, found again, and built again only for other code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from capsize.core.errors import StartError
from capsize.platforms.docker import base, images
from capsize.platforms.docker.engine import Engine
from support.waiting import LIMIT_S

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[3]
SIZE_MAX = 250_000_000


def test_the_starter_is_built_once_and_again_only_for_other_code(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same code finds its image; a changed file makes another one; a file that no build sees makes none."""
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "src" / "capsize_starter", copy / "src" / "capsize_starter")
    monkeypatch.setattr(images, "ROOT", copy)
    told: list[str] = []
    first = images.ensure(engine.client, told.append).starter
    assert engine.client.images.get(first).attrs["Size"] < SIZE_MAX
    (copy / "notes.txt").write_text("nothing of a build")
    built = len([line for line in told if line.startswith("built")])
    assert images.ensure(engine.client, told.append).starter == first
    assert len([line for line in told if line.startswith("built")]) == built
    with (copy / "src" / "capsize_starter" / "__init__.py").open("a") as file:
        file.write(f"# {tmp_path}\n")
    second = images.ensure(engine.client, told.append).starter
    try:
        assert second != first
        assert re.fullmatch(rf"built {second} in [\d.]+ s from \S+", told[-1])
    finally:
        engine.client.images.remove(second)


def test_the_starter_runs_as_nobody_special(engine: Engine) -> None:
    """Its container has no root, and the code is compiled and can't be written to."""
    tag = images.ensure(engine.client).starter
    look = (
        "import os, pathlib, capsize_starter as s; p = pathlib.Path(s.__file__); "
        "print(os.getuid(), os.access(p, os.W_OK), len(list((p.parent / '__pycache__').glob('*.pyc'))) > 0)"
    )
    told = engine.client.containers.run(tag, ["python3", "-c", look], remove=True).decode()
    assert told.split() == ["10001", "False", "True"]


def test_a_base_image_is_made_from_this_machine(engine: Engine) -> None:
    """Python with all that the starter imports; PostgreSQL that makes a cluster, and refuses to be without a password."""
    names = {kind: f"capsize-base-{kind}:test" for kind in base.MAKERS}
    try:
        for kind, make in base.MAKERS.items():
            assert make(engine.client, names[kind]) == names[kind]
            image = engine.client.images.get(names[kind])
            assert image.labels[base.FINGERPRINT] == base.fingerprint(kind)
            assert image.attrs["Size"] < SIZE_MAX
        run = engine.client.containers.run
        look = "import fastapi, uvicorn, asyncpg, msgspec, argon2, uvloop, ssl, sqlite3, zoneinfo, pip; print('all there')"
        assert run(names["python"], ["python3", "-c", look], remove=True) == b"all there\n"
        version = run(
            names["postgres"],
            ["postgres", "--version"],
            remove=True,
            environment={"POSTGRES_PASSWORD": "x"},
            entrypoint="",
        )
        assert version.startswith(b"postgres (PostgreSQL)")
        refused = engine.client.containers.create(names["postgres"])
        refused.start()
        assert refused.wait(timeout=LIMIT_S)["StatusCode"] == 1
        assert b"POSTGRES_PASSWORD is not set" in refused.logs()
        refused.remove(force=True, v=True)
    finally:
        for name in names.values():
            engine.client.images.remove(name, force=True)


def test_an_image_that_was_named_and_is_not_there_is_an_error(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other image is taken in its place."""
    monkeypatch.setenv("CAPSIZE_POSTGRES_IMAGE", "capsize-nobody-has-this:1")
    with pytest.raises(StartError, match="CAPSIZE_POSTGRES_IMAGE names the image capsize-nobody-has-this:1"):
        images.ensure(engine.client)


def test_the_script_names_what_it_can_make(engine: Engine) -> None:
    """A wrong name is a usage error that lists the right ones."""
    done = subprocess.run(
        [ROOT / "scripts" / "make-base-image.sh", "ruby"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 64
    assert "there is no base image 'ruby'. Known: python, postgres" in done.stderr
