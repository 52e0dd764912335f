"""How each kind of undo step is played: one kind, or two that belong together, per file."""

from capsize.guardian.steps.play import describe, play

__all__ = ["describe", "play"]
