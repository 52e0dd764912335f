"""Where instances live: local processes, a service that runs already, memory (for tests)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capsize.platforms.choose import NAMES, make_platform

__all__ = ["NAMES", "make_platform"]


def __getattr__(name: str) -> Any:
    # Late: whoever only asks a stack that is up needs no platform of its own, and the guardian heals by such a process.
    if name in __all__:
        from capsize.platforms import choose

        return getattr(choose, name)
    raise AttributeError(name)
