"""Where instances live: local processes, a service that runs already, memory (for tests)."""

from capsize.platforms.choose import NAMES, make_platform

__all__ = ["NAMES", "make_platform"]
