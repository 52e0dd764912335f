"""A service of one's own as the system under test, as ``capsize.toml`` describes it."""

from __future__ import annotations

from capsize.systems.configured.reading import read
from capsize.systems.configured.system import ConfiguredSystem

FILE = "capsize.toml"
"""The name under which the description is looked for."""

__all__ = ["FILE", "ConfiguredSystem", "read"]
