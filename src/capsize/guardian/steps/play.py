"""From a step to the function that plays it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from capsize.core.undo import (
    Containers,
    End,
    Place,
    RemoveCgroup,
    RemoveFolder,
    Resume,
    Run,
    Undo,
    Unmount,
)
from capsize.guardian.place import remove_place
from capsize.guardian.steps.cgroups import remove_cgroup
from capsize.guardian.steps.commands import run
from capsize.guardian.steps.folders import remove_folder
from capsize.guardian.steps.mounts import unmount
from capsize.guardian.steps.processes import end, resume

_PLAYERS: dict[type[Any], Callable[[Any], None]] = {
    Run: run,
    Resume: resume,
    End: end,
    Unmount: lambda step: unmount(Path(step.path)),
    RemoveFolder: lambda step: remove_folder(Path(step.path)),
    RemoveCgroup: lambda step: remove_cgroup(Path(step.path)),
    Place: lambda step: remove_place(Path(step.path)),
    Containers: lambda step: _containers(step),
}


def _containers(step: Containers) -> None:
    # Loaded when it is needed: an HTTP client is a fifth of what a guardian loads.
    from capsize.guardian.steps.containers import remove_containers

    remove_containers(step)


OF_THIS_BOOT = (Resume, End)
"""Steps that mean nothing once the machine was started anew."""


def play(step: Undo) -> None:
    """Undo it and return when it is undone, nothing when it is so already. Blocks.

    Raises CapsizeError or OSError; the message names what is left.
    """
    _PLAYERS[type(step)](step)


def describe(step: Undo) -> str:
    """Return what a step does in a few words."""
    match step:
        case Run(argv=argv):
            return f"run {shlex.join(argv)}"
        case Resume(pid=pid):
            return f"let process {pid} go on"
        case End(pid=pid):
            return f"end process {pid}"
        case Unmount(path=path):
            return f"unmount {path}"
        case RemoveFolder(path=path):
            return f"remove {path}"
        case RemoveCgroup(path=path):
            return f"remove the cgroup {path}"
        case Place(path=path):
            return f"end the stack in {path}"
        case Containers(label=label):
            return f"remove the containers labelled {label}"
