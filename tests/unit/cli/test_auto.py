"""`--platform auto`: Docker where it can be had at once, else local, and the reason said."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from capsize.cli import auto, invocation
from capsize.core.errors import StartError, UsageError
from capsize.platforms.docker import ground, images


def _silent(line: str) -> None:
    pass


class _Engine(BaseHTTPRequestHandler):
    """As much of an engine as is asked whether it is there."""

    def do_GET(self) -> None:
        """Tell a version."""
        body = b'{"Version": "99.1", "ApiVersion": "1.44"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Something that answers as an engine does, whose networks work and whose images are there."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(ground, "make_network", lambda client, marks: "172.17.0.1")
        monkeypatch.setattr(ground, "clear", lambda client, label: None)
        monkeypatch.setattr(images, "ensure", lambda client, say: None)
        yield
        server.shutdown()


def test_an_engine_that_answers_is_taken(engine: None) -> None:
    """Docker, with the engine's version as the reason."""
    choice = auto.choose("starter", _silent)
    assert choice.name == "docker"
    assert "99.1 answers" in choice.why


def test_without_an_engine_it_is_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason names the place where none answered."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    choice = auto.choose("starter", _silent)
    assert choice.name == "local"
    assert f"{tmp_path}/none.sock" in choice.why


def test_an_engine_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that takes connections and says nothing costs a moment, not a minute."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{deaf.getsockname()[1]}")
        monkeypatch.setattr(auto, "ANSWER_LIMIT_S", 0.2)
        began = time.monotonic()
        assert auto.choose("starter", _silent).name == "local"
        assert time.monotonic() - began < 30


def test_without_images_it_is_local(engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that can neither pull nor build is left, and the first line of why is said."""

    def fail(client: object, say: object) -> None:
        raise StartError("the image capsize-starter can't be built: no network\n  | a long story")

    monkeypatch.setattr(images, "ensure", fail)
    choice = auto.choose("starter", _silent)
    assert choice.name == "local"
    assert choice.why.endswith("capsize-starter can't be built: no network")


def test_images_that_take_too_long_are_given_up(engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull that hangs must not keep the first run from its verdict."""
    release = threading.Event()
    monkeypatch.setattr(images, "ensure", lambda client, say: release.wait(60))
    monkeypatch.setattr(auto, "IMAGES_LIMIT_S", 0.1)
    choice = auto.choose("starter", _silent)
    release.set()
    assert choice.name == "local"
    assert "neither pulled nor built within 0.1 s" in choice.why


def test_an_engine_in_a_virtual_machine_is_left(engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where containers could not reach the witness, processes of this machine can."""

    def fail(client: object, marks: object) -> None:
        raise StartError("the gateway is no address of this machine")

    monkeypatch.setattr(ground, "make_network", fail)
    choice = auto.choose("starter", _silent)
    assert choice.name == "local"
    assert "no address of this machine" in choice.why


def test_another_system_has_no_image(engine: None) -> None:
    """What capsize knows no image for is not sent to Docker without being asked to."""
    assert auto.choose("queue:celery", _silent).name == "local"


def test_a_platform_that_is_named_is_not_second_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--platform docker` without an engine is a usage error, and `local` asks no engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert auto.platform_named("local", "starter", _silent) == "local"
    with pytest.raises(UsageError, match="no Docker engine answers"):
        auto.platform_named("docker", "starter", _silent)


def test_the_run_says_which_platform_and_records_it(
    capsize: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The choice is on the terminal, and the command to repeat the run names it instead of `auto`."""
    asked: list[invocation.Invocation] = []
    monkeypatch.setattr(invocation, "carry_out", lambda one: asked.append(one) or 0)
    monkeypatch.delenv("CAPSIZE_PLATFORM")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ran = capsize("run", "--scenarios", "baseline", "--output", str(tmp_path))
    assert ran.code == 0
    assert ran.out.startswith("Platform: local (no Docker engine answers at")
    assert asked[0].platform == "local"
    assert "--platform local" in asked[0].command
