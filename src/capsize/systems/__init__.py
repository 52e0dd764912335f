"""What is tested: how its services start, where they listen, how a task is submitted."""

from __future__ import annotations

from capsize.core.system import System
from capsize.systems.starter import Starter

SYSTEMS: dict[str, type[System]] = {"starter": Starter}
"""The known systems by name."""

__all__ = ["SYSTEMS", "Starter"]
