"""The images of a project that is not ours: pulled where they have a name, built where they have a recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from capsize.core.errors import StartError, UsageError
from capsize.platforms.docker.engine import EngineError, is_missing, spoken

if TYPE_CHECKING:
    import docker

Say = Callable[[str], object]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How an image is built: the folder, its Dockerfile in there, and the arguments."""

    context: str
    dockerfile: str
    args: dict[str, str]
    target: str | None = None


def image_of(client: docker.DockerClient, name: str | None, recipe: Recipe | None, tag: str, say: Say) -> str:
    """Return an image that the engine has: built by its recipe, under ``tag``, else found or pulled by name.

    What is built is always built, so that it is of the code as it is now; layers that did not change are found.
    Raises UsageError for a folder that is not there, StartError for what can't be built or pulled.
    """
    if recipe is not None:
        return _built(client, recipe, tag, say)
    if name is None:
        raise UsageError(f"{tag}: it has neither a name nor a recipe")
    try:
        spoken(client.images.get, name)
    except EngineError as error:
        if not is_missing(error):
            raise
        say(f"pulling {name}")
        try:
            spoken(client.images.pull, name)
        except EngineError as refused:
            raise StartError(f"the image {name} can't be pulled: {refused}") from refused
    return name


def _built(client: docker.DockerClient, recipe: Recipe, tag: str, say: Say) -> str:
    from docker.errors import BuildError

    if not (Path(recipe.context) / recipe.dockerfile).is_file():
        raise UsageError(f"{tag}: there is no {recipe.dockerfile} in {recipe.context}")
    began = time.monotonic()
    arguments: Mapping[str, str] = {name: text for name, text in recipe.args.items() if text}
    try:
        image, _ = spoken(
            client.images.build,
            path=recipe.context,
            dockerfile=recipe.dockerfile,
            buildargs=dict(arguments),
            target=recipe.target,
            tag=tag,
            rm=True,
            forcerm=True,
        )
    except EngineError as error:
        cause = error.__cause__
        log = cause.build_log if isinstance(cause, BuildError) else ()
        lines = [str(entry["stream"]).rstrip() for entry in log if "stream" in entry]
        told = "\n".join(f"  | {line}" for line in lines[-15:] if line)
        raise StartError(f"the image {tag} can't be built: {error}\n{told}") from error
    say(f"built {tag} in {time.monotonic() - began:.1f} s")
    # By its id: another project may build another image under this name meanwhile.
    return str(image.id)
