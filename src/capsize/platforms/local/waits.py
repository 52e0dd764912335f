"""Waiting for calls that must not be cut short, and for what is to be seen."""

from capsize.core.waits import seen, side_by_side, to_the_end

__all__ = ["seen", "side_by_side", "to_the_end"]
