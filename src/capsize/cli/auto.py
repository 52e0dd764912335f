"""``--platform auto``: Docker when an engine answers at once and can run the starter, else processes of this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from capsize.core.errors import CapsizeError, StartError, UsageError

if TYPE_CHECKING:
    import docker

T = TypeVar("T")
Say = Callable[[str], object]

ANSWER_LIMIT_S = 2.0
IMAGES_LIMIT_S = 60.0
"""How long images may take to be pulled or built: without any, processes of this machine stand within seconds."""


class Choice(msgspec.Struct, frozen=True):
    """A platform, and why it was chosen, for a person."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"Platform: {self.name} ({self.why})"


class _Unfit(CapsizeError):
    """Docker can't be taken; the message says why."""


def choose(system: str, say: Say) -> Choice:
    """Return ``docker`` or ``local``, with the reason; ``say`` hears what is pulled or built meanwhile.

    Never raises for what Docker lacks: that is the reason then.
    """
    try:
        return Choice("docker", _docker(system, say))
    except _Unfit as unfit:
        return Choice("local", str(unfit))


def _docker(system: str, say: Say) -> str:
    """Return what speaks for Docker. Raises _Unfit with what speaks against it."""
    if system != "starter":
        raise _Unfit(f"auto knows images for the starter alone, not for {system}")
    client, version = _engine()
    try:
        began = time.monotonic()
        _try(lambda: _network(client), "the engine's networks can't be used")
        _try(
            lambda: _within(IMAGES_LIMIT_S, lambda: _images(client, say)),
            "an engine answers, but has no images",
        )
        return f"engine {version} answers, its images are there after {time.monotonic() - began:.1f} s"
    finally:
        client.close()


def _engine() -> tuple[docker.DockerClient, str]:
    where = os.environ.get("DOCKER_HOST") or "the usual socket"
    try:
        import docker
        from requests.exceptions import RequestException
    except ImportError:
        raise _Unfit("the Python package docker is not installed: pip install 'capsize[docker]'") from None
    client: docker.DockerClient | None = None
    try:
        client = docker.from_env(timeout=ANSWER_LIMIT_S)
        version = str(client.version().get("Version", "of an unknown version"))
        # Pulling and building take longer than an answer may.
        client.api.timeout = IMAGES_LIMIT_S
    except (docker.errors.DockerException, RequestException, ValueError) as error:
        if client is not None:
            client.close()
        raise _Unfit(f"no Docker engine answers at {where}: {_short(error)}") from error
    return client, version


def _short(error: BaseException) -> str:
    from capsize.platforms.docker.engine import words

    return words(error)


def _network(client: docker.DockerClient) -> None:
    """See that containers could reach capsize: those of an engine in a virtual machine can't."""
    from capsize.platforms.docker.ground import clear, make_network
    from capsize.platforms.docker.marks import Marks

    marks = Marks.draw()
    try:
        make_network(client, marks)
    finally:
        clear(client, marks.label)


def _images(client: docker.DockerClient, say: Say) -> None:
    from capsize.platforms.docker.images import ensure

    ensure(client, lambda line: say(f"  {line}"))


def _try(call: Callable[[], None], otherwise: str) -> None:
    try:
        call()
    except CapsizeError as error:
        raise _Unfit(f"{otherwise}: {str(error).splitlines()[0]}") from error


def _within(limit_s: float, call: Callable[[], None]) -> None:
    """Make a call that may hang, in a thread that ends with the process. Raises what it raises, and StartError."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, name="images", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise StartError(f"they were neither pulled nor built within {limit_s:g} s")
    for error in raised:
        raise error


def platform_named(name: str, system: str, say: Say) -> str:
    """Return the platform that a name on the command line stands for; a choice is said. Raises UsageError."""
    from capsize.cli.parts import choose_platform
    from capsize.core.registry import unknown
    from capsize.platforms import NAMES

    if name == "auto":
        choice = choose(system, say)
        say(str(choice))
        return choice.name
    if name not in NAMES:
        raise UsageError(unknown("platform", name, ("auto", *NAMES)))
    return choose_platform(name)
