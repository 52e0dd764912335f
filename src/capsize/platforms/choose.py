"""From a platform's name to the platform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capsize.core.clock import Clock
from capsize.core.errors import UsageError
from capsize.core.experiment import Link
from capsize.core.platform import Platform
from capsize.core.protocols import Record
from capsize.core.registry import unknown
from capsize.core.undo import Guard
from capsize.platforms.local import LocalPlatform
from capsize.platforms.remote import RemotePlatform

NAMES = ("local", "docker")
"""The platforms that a user can name; a base URL stands for the remote one."""


def make_platform(
    name: str,
    *,
    directory: Path,
    record: Record,
    clock: Clock,
    fields: dict[str, str],
    base_url: str | None = None,
    outlives: bool = False,
    guard: Guard,
    links: Sequence[Link] = (),
    seed: int = 0,
) -> Platform:
    """Make a platform that has started nothing yet. Raises UsageError for a name that is not known.

    ``guard`` is told of everything that the platform leaves on the machine before it does so. ``links`` are the
    connections that are to go through a proxy, whose draws come from ``seed``.
    """
    if base_url is not None:
        return RemotePlatform(base_url)
    if name not in NAMES:
        raise UsageError(unknown("platform", name, NAMES))
    if name == "docker":
        # Imported here: nobody else needs the engine's client.
        from capsize.platforms.docker.platform import DockerPlatform

        return DockerPlatform(
            directory, record, clock, fields, guard=guard, links=links, seed=seed, outlives=outlives
        )
    return LocalPlatform(
        directory, record, clock, fields, outlives=outlives, guard=guard, links=links, seed=seed
    )
