"""How each kind of undo step is played: one kind, or two that belong together, per file."""
