"""Parameter types and options that several commands share."""

from __future__ import annotations

import math
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import click

from capsize.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

SEED_MAX = 2**63 - 1
JOBS_MAX = 64
REPEAT_MAX = 100


class Finite(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """A number of seconds or a factor: any finite float."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the float; infinity and NaN are refused, since they pass every comparison."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Interval(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """Two numbers of seconds with a dash between them: ``5-10``."""

    name = "MIN-MAX"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Return both ends. Whether they make sense together, the level's table decides."""
        if isinstance(value, tuple):
            return value
        low, dash, high = str(value).partition("-")
        try:
            ends = (float(low), float(high))
        except ValueError:
            ends = (math.nan, math.nan)
        if not dash or not all(map(math.isfinite, ends)):
            self.fail(f"{value!r} is not an interval; give seconds as MIN-MAX, as in 5-10", param, ctx)
        return ends


class JobsType(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """How many runs at once: a number, or ``auto``."""

    name = "N|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["auto"]:
        """Return the number, at least 1, or ``auto``."""
        if value == "auto":
            return "auto"
        try:
            number = int(value)
        except ValueError:
            number = 0
        if not 1 <= number <= JOBS_MAX:
            self.fail(f"{value!r} is neither auto nor a number from 1 to {JOBS_MAX}", param, ctx)
        return number


class BaseUrl(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """The address of a service: ``http://host[:port]``."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without a slash at its end."""
        try:
            parts = urlsplit(str(value))
            parts.port  # noqa: B018 - raises for a port that is none
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.fail(f"{value!r} is not an address; give one as in http://127.0.0.1:3000", param, ctx)
        return str(value).rstrip("/")


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator that applies several, listed in the order in which help shows them."""

    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


output_option = click.option(
    "--output",
    envvar="OUTPUT_DIR",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    show_envvar=True,
    help="Where run directories and the summary go.",
)
verbose_option = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    envvar="VERBOSE",
    show_envvar=True,
    help="Show every step: all strikes, changes of instances, notes.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout; progress on stderr.")
keep_option = click.option(
    "--no-cleanup",
    "--keep-database",
    "keep",
    is_flag=True,
    help="Leave the system up after the run, its database with it, to look at it.",
)
base_url_option = click.option(
    "--base-url",
    envvar="BASE_URL",
    show_envvar=True,
    type=BaseUrl(),
    help="A service that runs already. What needs control over its processes is SKIPPED.",
)
port_option = click.option(
    "--port",
    envvar="PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=0,
    help="The API's port; 0, the default, takes a free one.",
)
DEFAULT_PORT = 3000
"""Where the starter's API listens when nobody says otherwise."""

url_option = options(
    click.option(
        "--url",
        envvar="BASE_URL",
        show_envvar=True,
        type=BaseUrl(),
        help=f"The server. Default: port $PORT of this machine, or {DEFAULT_PORT}.",
    ),
    click.option("--port", "default_port", envvar="PORT", type=click.IntRange(1, 65535), hidden=True),
)
platform_option = click.option(
    "--platform",
    envvar="CAPSIZE_PLATFORM",
    show_envvar=True,
    default="auto",
    show_default=True,
    metavar="auto|local|docker",
    help="Where the system runs. auto: docker when an engine answers and can run it, else local; it says which.",
)


def program() -> str:
    """Return how the person can call capsize again: by its name, or by its path when it is not on PATH."""
    called = Path(sys.argv[0])
    if called.name != "capsize" or not called.is_file():
        return "capsize"
    found = shutil.which("capsize")
    if found and os.path.samefile(found, called):
        return "capsize"
    near = os.path.relpath(called)
    return str(called.absolute()) if near.startswith(os.pardir) else near


def draw_seed() -> int:
    """Return a seed for a run that was given none: short enough to be read out."""
    return secrets.randbelow(2**31)


def writable(output: Path) -> Path:
    """Make the output directory and see that it can be written to. Raises :class:`UsageError`."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"--output {output} can't be written to: {reason}. Give another directory with --output"
        ) from error
    return Path(os.path.normpath(output))
