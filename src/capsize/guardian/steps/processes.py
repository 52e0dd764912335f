"""Processes: let go on, or ended."""

from __future__ import annotations

from capsize.core.undo import End, Resume
from capsize.guardian import tree
from capsize.guardian.owner import same


def resume(step: Resume) -> None:
    """Let a process and its descendants go on."""
    if _ours(step.pid, step.created):
        tree.thaw(step.pid)


def end(step: End) -> None:
    """Kill a process and its descendants, and what is left in its session when it is gone itself."""
    if _ours(step.pid, step.created):
        tree.kill(step.pid)


def _ours(pid: int, created: float) -> bool:
    """Return whether the number still stands for the process that was meant, or for nobody.

    Nobody: then what is left of its session is its own, since the kernel gives no number away that a session
    still bears.
    """
    return same(pid, created) is not False
