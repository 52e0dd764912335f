"""Services as supervised processes of this machine, with a PostgreSQL of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capsize.platforms.local.attached import attach
    from capsize.platforms.local.platform import LocalPlatform

__all__ = ["LocalPlatform", "attach"]


def __getattr__(name: str) -> Any:
    # Late: whoever only asks a stack that is up needs no platform of its own, and the guardian heals by such a process.
    if name == "LocalPlatform":
        from capsize.platforms.local import platform

        return platform.LocalPlatform
    if name == "attach":
        from capsize.platforms.local import attached

        return attached.attach
    raise AttributeError(name)
