"""``--compose``: a compose project of the user's own as what is tested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from capsize.cli.options import options
from capsize.core.errors import UsageError

if TYPE_CHECKING:
    from capsize.core.system import System
    from capsize.systems.compose import ComposePlan

Say = Callable[[str], object]

compose_options = options(
    click.option(
        "--compose",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Test the services of this compose file, in containers of the run's own; --system says how it is spoken to.",
    ),
    click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="SERVICE=ROLE",
        help="What a service of --compose is: api, worker, database, job or other. Its label capsize.role says it too.",
    ),
    click.option(
        "--api-port",
        type=click.IntRange(1, 65535),
        help="Where the API of --compose listens inside its container, when its ports leave that open.",
    ),
    click.option(
        "--yes", is_flag=True, help="Break services of --compose that no label capsize.allow allows."
    ),
)


def see_that_it_fits(given: dict[str, Any], system: str | None) -> None:
    """Raise UsageError for flags that contradict ``--compose``, or mean nothing without it."""
    if given["compose"] is None:
        for flag in ("roles", "api_port", "yes"):
            if given[flag]:
                name = "--role" if flag == "roles" else f"--{flag.replace('_', '-')}"
                raise UsageError(f"{name} is about a compose project; name its file with --compose")
        return
    if system is None:
        raise UsageError(
            f"--compose {given['compose']} says how the services run; how a task is submitted and its end is known, no "
            "compose file says. Name the adapter that knows: --system starter, or --system capsize.toml for your own "
            "(docs/service-contract.md)"
        )
    if given["base_url"] is not None:
        raise UsageError("--compose starts the project itself; leave --base-url (and BASE_URL) out")
    if given["platform"] not in ("auto", "docker"):
        raise UsageError(
            f"--compose needs containers, and --platform is {given['platform']}; use --platform docker"
        )
    if given.get("jobs", 1) != 1:
        raise UsageError("--compose runs one scenario after the other; use --jobs 1")


def planned(given: dict[str, Any]) -> ComposePlan:
    """Return what runs, from the file and the flags; asks no engine. Raises UsageError."""
    from capsize.systems.compose import Told, plan, read

    told = Told(roles=dict(map(_role, given["roles"])), api_port=given["api_port"], yes=given["yes"])
    return plan(given["compose"], read(given["compose"]), told)


def with_containers(inner: System, plan: ComposePlan, say: Say) -> System:
    """Return the adapter with the project's containers, their images at hand. Raises UsageError and StartError."""
    from capsize.platforms.docker.engine import connect
    from capsize.platforms.docker.project_images import Recipe, image_of
    from capsize.systems.compose import composed

    for line in plan.lines():
        say(line)
    engine = connect()
    try:
        images: dict[str, str] = {}
        built: list[tuple[Recipe, str]] = []
        for part in plan.parts:
            one, build = part.service, part.service.build
            recipe = None
            if build is not None:
                recipe = Recipe(
                    context=build.context, dockerfile=build.dockerfile, args=build.args, target=build.target
                )
            tag = f"capsize-compose-{one.name.lower()}:latest"
            same = next((name for known, name in built if known == recipe), None)
            images[one.name] = same or image_of(
                engine.client, one.image, recipe, tag, lambda line: say(f"  {line}")
            )
            if recipe is not None:
                built.append((recipe, images[one.name]))
    finally:
        engine.close()
    return composed(inner, plan, images)


def _role(text: str) -> tuple[str, Any]:
    from capsize.core.registry import unknown
    from capsize.systems.compose.project import ROLES

    name, equals, role = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--role {text}: say it as SERVICE=ROLE, as in web=api")
    if role not in ROLES:
        raise UsageError(f"--role {text}: {unknown('role', role, ROLES)}")
    return name, role
