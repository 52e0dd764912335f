"""Services as supervised processes of this machine, with a PostgreSQL of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capsize.platforms.local.platform import LocalPlatform

__all__ = ["LocalPlatform"]


def __getattr__(name: str) -> Any:
    # Late: whoever only asks a stack that is up needs no platform of its own, and the guardian heals by such a process.
    if name in __all__:
        from capsize.platforms.local import platform

        return getattr(platform, name)
    raise AttributeError(name)
