"""The nouns, levels, verdicts, clock and errors; no I/O."""
