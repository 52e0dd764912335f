"""What can be done to a local instance while it runs: computing time, memory, descriptors, disk, clock, names."""

from capsize.platforms.local.harm.abilities import HarmAbilities
from capsize.platforms.local.harm.harm import Harm

__all__ = ["Harm", "HarmAbilities"]
