"""A compose project of the user's own as the system under test: its file says how the services run."""

from __future__ import annotations

from capsize.systems.compose.planning import Told, plan
from capsize.systems.compose.project import ComposePlan, Part
from capsize.systems.compose.reading import read
from capsize.systems.compose.system import composed

__all__ = ["ComposePlan", "Part", "Told", "composed", "plan", "read"]
